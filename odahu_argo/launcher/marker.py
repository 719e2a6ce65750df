"""Completion marker of the step `train`, for later attempts of it; see `odahu_argo.steps.markers`."""

import json
import os
import time

from odahu_argo.launcher.launch import Launch

_MARKER_FILE = "marker"
_POD_VARIABLE = "KUBERNETES_SERVICE_HOST"


def write_marker(launch: Launch, directory: str) -> None:
    """Mark the training as finished, with its run ID. The launch in `directory` contains the path of the marker.

    In a pod, everything that the training has written is on disk before the marker exists.
    """
    with open(os.path.join(directory, _MARKER_FILE), encoding="utf-8") as file:
        marker = file.read().strip()
    with open(launch.run_id_file, encoding="utf-8") as file:
        results = {"run-id": file.read().strip()}
    flush_disk(directory)
    with open(marker + ".partial", "w", encoding="utf-8") as file:
        json.dump({"completed": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "results": results}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(marker + ".partial", marker)


def flush_disk(directory: str) -> None:
    """Write the directory's filesystem to disk, if this process runs in a pod: its node can fail at any moment.

    `sync -f` does not wait for other filesystems of the node.
    """
    if _POD_VARIABLE not in os.environ:
        return
    import subprocess

    try:
        subprocess.check_call(["sync", "-f", directory], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        os.sync()
