# Start a training in its own image: sh start.sh [--child]
#
# The directory of this file is a launch (odahu_argo.steps.launch). With a file `program`, run this program as ODAHU did; its
# variables are in `variables.sh`. Otherwise run the launcher under the first suitable Python of the image. With a file
# `already-completed`, do nothing: an earlier attempt has finished. The file `marker` has the path of the completion marker.
# The file `running` exists until the attempt ends on its own; with `last-attempt`, a fault is final (steps/attempts.py).
directory=$(cd "$(dirname "$0")" && pwd)
option=$1
umask 022

fail() {
    printf '%s\n  hint: %s' "$1" "$2" > "${ODAHU_ARGO_MESSAGE:-/dev/termination-log}"
    if [ "$option" != --child ]; then
        printf 'train: failed: %s\ntrain:   hint: %s\n' "$1" "$2"
    fi
    rm -f "$directory/running"
    exit 2
}

fault() {
    rm -f "$directory/running"
    if [ -f "$directory/last-attempt" ]; then
        exit 4
    fi
    exit 3
}

mark_completed() {
    marker=$(cat "$directory/marker")
    sync
    printf '{"completed": "%s", "results": {}}' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" > "$marker.partial" || fault
    sync
    mv "$marker.partial" "$marker" || fault
}

if [ -f "$directory/already-completed" ]; then
    cat "$directory/already-completed"
    exit 0
fi

if [ ! -f "$directory/program" ]; then
    for python in python python3; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 6))' > /dev/null 2>&1; then
            exec "$python" "$directory/launcher.pyz" "$directory/launch.json"
        fi
    done
    fail 'the image has no Python 3.6 or newer on PATH' 'use an image with Python and MLflow (docs/guides/images.md)'
fi

program=$(cat "$directory/program")
. "$directory/variables.sh"
cd "$directory/../repository" || fault
command -v "$program" > /dev/null || fail "the image has no program $program" \
    "check the entrypoint and defaultImage of the toolchain"
stopped=
trap 'stopped=yes; kill -TERM "$child" 2> /dev/null' TERM
"$program" --verbose --mt "$directory/mt.json" --target "$directory/../output" < /dev/null &
child=$!
wait "$child"
status=$?
if [ -n "$stopped" ]; then
    wait "$child"
    exit 143
fi
case $status in
    0) if [ "$option" != --child ]; then
        mark_completed
    fi ;;
    137) fail "the program $program was killed (signal 9), usually because it ran out of memory" \
        "raise resources.limits.memory of the training" ;;
    *) fail "the program $program exited with status $status" "see its output above, in the log of the step train" ;;
esac
