"""Rows about compiling: one training, a thousand trainings, and the size of the output."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import yaml

from odahu_argo import __version__
from tests.bench import manifests
from tests.bench.bench import Bench
from tests.bench.figures import OURS, Bar, Row
from tests.bench.measure import Contender, Sample, put_aside
from tests.bench.peers import HERA, KFP, METAFLOW, OUR_BIN, SCRIPTS, our_program
from tests.servers.s3 import KEY_ID, KEY_SECRET, Bucket, running_s3

STEPS = 6


def compile_one(bench: Bench) -> Row:
    makers = _makers(bench)
    with _metaflow(bench) as metaflow:
        everybody = {**makers, "metaflow": metaflow, "import yaml": _floor}
        samples, versions, absent = bench.race(everybody, 9)
    return Row(
        "compile",
        "compile one training with 6 steps",
        Bar("at most 1/3 of the fastest peer", 1 / 3),
        samples,
        versions,
        absent,
        apart=["import yaml"],
        note="`import yaml` is `python -c 'import yaml'`, the minimum for each of them.",
    )


def compile_many(bench: Bench) -> Row:
    count = bench.size(1000, 20)
    folder = bench.new("many")
    profile = manifests.write(folder, count)
    cores = os.cpu_count() or 1
    makers = {
        OURS: partial(ours_of, folder, profile, count),
        "hera": partial(_hera, folder, count, 1),
        "hera, all cores": partial(_hera, folder, count, cores),
    }
    samples, versions, absent = bench.race(makers, 3, warm=False)
    return Row(
        "thousand",
        f"compile {count:,} manifests from YAML to YAML",
        Bar("at most 1/4 of hera's time", 1 / 4, rival="hera"),
        samples,
        versions,
        absent,
        note="hera's script reads and writes the same files; `all cores` uses a process pool.",
    )


def size(bench: Bench) -> Row:
    makers = _makers(bench)
    with _metaflow(bench) as metaflow:
        outputs = {OURS: bench.folder / "ours.out", "hera": bench.folder / "hera.out"}
        outputs |= {"kfp": bench.folder / "kfp.out", "metaflow": bench.folder / "metaflow.out"}
        _, versions, absent = Bench(bench.folder, bench.tell, toy=True).race({**makers, "metaflow": metaflow}, 1)
    samples = {name: [Sample(file.stat().st_size, 0, 0)] for name, file in outputs.items() if file.is_file()}
    return Row(
        "size",
        "size of the compiled workflow",
        Bar("at most 12 kB", 12_000, measure="itself"),
        samples,
        versions,
        absent,
        unit="B",
        note="YAML as printed; metaflow prints JSON. kfp's output is not a workflow yet: its server creates one from it.",
    )


def ours_of(folder: Path, profile: Path, count: int) -> Contender:
    """Compile all trainings of the directory to one file each."""
    output = folder / "ours"
    command = [our_program(), "compile", "-d", str(folder / "manifests"), "--profile", str(profile)]
    return Contender(
        OURS,
        [*command, "--output-dir", str(output)],
        __version__,
        before=partial(put_aside, output),
        after=partial(_require_files, output, count),
    )


def _hera(folder: Path, count: int, processes: int) -> Contender:
    output = folder / f"hera-{processes}"
    script = [HERA.program("python"), str(SCRIPTS / "hera_trainings.py")]
    return Contender(
        "hera" if processes == 1 else "hera, all cores",
        [*script, "--processes", str(processes), str(folder / "manifests"), str(output)],
        HERA.version,
        before=partial(put_aside, output),
        after=partial(_require_files, output, count),
    )


def _makers(bench: Bench) -> dict[str, Callable[[], Contender]]:
    """Contenders that compile one training."""
    folder = bench.new("one")
    profile = manifests.write(folder, 1)
    files = [part for file in sorted((folder / "manifests").iterdir()) for part in ("-f", str(file))]

    def ours() -> Contender:
        out = bench.folder / "ours.out"
        command = [our_program(), "compile", *files, "--profile", str(profile)]
        return Contender(OURS, command, __version__, output=out, after=partial(_require_steps, out))

    def hera() -> Contender:
        target = bench.folder / "hera"
        command = [HERA.program("python"), str(SCRIPTS / "hera_trainings.py"), str(folder / "manifests"), str(target)]
        return Contender("hera", command, HERA.version, after=lambda: _take(target, bench.folder / "hera.out"))

    def kfp() -> Contender:
        out = bench.folder / "kfp.out.yaml"
        command = [KFP.program("kfp"), "dsl", "compile", "--py", str(SCRIPTS / "kfp_training.py"), "--output", str(out)]
        return Contender("kfp", command, KFP.version, after=lambda: shutil.copy(out, bench.folder / "kfp.out"))

    return {OURS: ours, "hera": hera, "kfp": kfp}


@contextmanager
def _metaflow(bench: Bench) -> Iterator[Callable[[], Contender]]:
    """It wants to send code to a bucket, and to ask a cluster for a template of its name: a fake knows of none."""
    home = bench.new("metaflow")
    with running_s3() as endpoint, _no_workflow_templates() as cluster:
        Bucket(endpoint, "flows").create()
        (home / "kubeconfig").write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "fake",
                    "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
                    "clusters": [{"name": "fake", "cluster": {"server": cluster}}],
                    "users": [{"name": "fake", "user": {}}],
                }
            )
        )
        environment = {
            "KUBECONFIG": str(home / "kubeconfig"),
            "METAFLOW_DEFAULT_DATASTORE": "s3",
            "METAFLOW_DATASTORE_SYSROOT_S3": "s3://flows/metaflow",
            "METAFLOW_S3_ENDPOINT_URL": endpoint,
            "METAFLOW_HOME": str(home),
            "METAFLOW_USER": "bench",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": KEY_SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

        def make() -> Contender:
            command = [METAFLOW.program("python"), str(SCRIPTS / "metaflow_training.py")]
            return Contender(
                "metaflow",
                [*command, "--no-pylint", "argo-workflows", "create", "--only-json"],
                METAFLOW.version,
                environment,
                output=bench.folder / "metaflow.out",
            )

        yield make


@contextmanager
def _no_workflow_templates() -> Iterator[str]:
    """A fake of a Kubernetes API: it answers to everything that there is no such object."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}'
            self.send_response(404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _floor() -> Contender:
    return Contender("import yaml", [str(OUR_BIN / "python"), "-c", "import yaml"])


def _require_files(folder: Path, count: int) -> None:
    found = len(list(folder.glob("*.yaml")))
    assert found == count, f"{found} of {count} files were written"


def _require_steps(output: Path) -> None:
    tasks = yaml.safe_load(output.read_text())["spec"]["templates"][0]["dag"]["tasks"]
    assert len(tasks) == STEPS, f"{len(tasks)} steps, not {STEPS}"


def _take(folder: Path, target: Path) -> None:
    [file] = folder.iterdir()
    shutil.copy(file, target)
