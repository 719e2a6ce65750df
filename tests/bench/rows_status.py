"""Row about thousands of trainings: `train get` and a watch, compared with kubectl."""

from __future__ import annotations

from functools import partial

from odahu_argo import __version__
from tests.bench.bench import Bench
from tests.bench.figures import OURS, Bar, Row
from tests.bench.measure import Contender
from tests.bench.peers import OUR_BIN, SCRIPTS, output_of, system
from tests.bench.workflows import namespace_of_trainings

_PROGRAM = str(OUR_BIN / "odahu-argo")
JSON, WATCH = "odahu-argo, -o json", "odahu-argo, watch"


def status(bench: Bench) -> Row:
    count = bench.size(5000, 20)
    with namespace_of_trainings(count) as namespace:
        makers = {
            OURS: partial(train_get, bench, namespace, count),
            JSON: lambda: Contender(JSON, [_PROGRAM, "train", "get", "-o", "json", "-n", namespace], __version__),
            WATCH: partial(_watch, namespace, count),
            "kubectl": partial(kubectl, bench, namespace),
        }
        samples, versions, absent = bench.race(makers, 3, warm=False)
    return Row(
        "status",
        f"`odahu-argo train get` of {count:,} trainings",
        Bar("at most twice kubectl's time", 2.0, rival="kubectl"),
        samples,
        versions,
        absent,
        apart=[JSON, WATCH],
        note="kubectl runs `kubectl get workflows -o json`. The watch is "
        f"`train get --watch` until all {count:,} are printed.",
    )


def train_get(bench: Bench, namespace: str, count: int) -> Contender:
    out = bench.folder / f"{namespace}-{count}.txt"

    def require_all() -> None:
        found = len(out.read_text().splitlines()) - 1
        assert found == count, f"{found} of {count} trainings are printed"

    return Contender(
        OURS, [_PROGRAM, "train", "get", "-o", "table", "-n", namespace], __version__, output=out, after=require_all
    )


def _watch(namespace: str, count: int) -> Contender:
    command = [_PROGRAM, "train", "get", "--watch", "-n", namespace]
    script = [str(OUR_BIN / "python"), str(SCRIPTS / "until_lines.py"), str(count + 1)]
    return Contender(WATCH, [*script, *command], __version__)


def kubectl(bench: Bench, namespace: str) -> Contender:
    version = output_of(system("kubectl"), "version", "--client").split()[2].removeprefix("v")
    command = [system("kubectl"), "-n", namespace, "get", "workflows", "-o", "json"]
    return Contender("kubectl", command, version, output=bench.folder / "kubectl.json")
