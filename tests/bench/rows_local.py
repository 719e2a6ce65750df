"""Row about the local engine: the wine example, compared with `mlflow run`."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml

from odahu_argo import __version__
from tests.bench.bench import Bench
from tests.bench.figures import OURS, Bar, Row
from tests.bench.measure import Contender
from tests.bench.peers import OUR_BIN, output_of, system
from tests.bench.rows_objects import S3_KEYS, s5cmd_command
from tests.conftest import ROOT
from tests.servers.s3 import Bucket, lasting_s3

BY_HAND = "git, mlflow run, zip"
_EXAMPLE = ROOT / "examples" / "01-wine-quality"
_WORK_DIR = "examples/01-wine-quality/project"
_PATH = f"{OUR_BIN}:/usr/local/bin:/usr/bin:/bin"
"""Both start `python` from PATH."""


def local(bench: Bench) -> Row:
    repository, data = _lay_out(bench)
    with lasting_s3(bench.folder / "server") as (bucket, _):
        bucket.put_file("data/wine-quality.csv", data)
        makers: dict[str, Callable[[], Contender]] = {
            OURS: lambda: _ours(bench, repository, bucket),
            BY_HAND: lambda: _by_hand(bench, repository, bucket),
            "mlflow run": lambda: _mlflow_run(bench, data),
        }
        samples, versions, absent = bench.race(makers, 3)
    return Row(
        "local",
        "run the wine example locally",
        Bar("at most 1 s slower than git, `mlflow run` and zip", 1.0, rival=BY_HAND, measure="difference"),
        samples,
        versions,
        absent,
        apart=["mlflow run"],
        note="`git, mlflow run, zip` is a shell script: git clone, download with s5cmd, `mlflow run --env-manager local`, "
        "zip, upload with s5cmd. `mlflow run` starts with code and data in place. Each has its own SQLite database.",
    )


def _lay_out(bench: Bench) -> tuple[Path, Path]:
    """Create a repository with the example's project, and the data file."""
    from sklearn.datasets import load_wine

    data = bench.new("data") / "wine-quality.csv"
    load_wine(as_frame=True).frame.rename(columns={"target": "quality"}).to_csv(data, index=False)
    repository = bench.folder / "repository"
    shutil.copytree(_EXAMPLE / "project", repository / _WORK_DIR)
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-q", "-m", "project"]):
        subprocess.run([system("git"), *command], cwd=repository, check=True)
    return repository, data


def _ours(bench: Bench, repository: Path, bucket: Bucket) -> Contender:
    specs = {
        "odahu-argo": {"type": "git", "uri": repository.as_uri(), "reference": "main"},
        "wine-data": bucket.fields("data/wine-quality.csv"),
        "models-output": bucket.fields("ours"),
    }
    connections = [{"kind": "Connection", "id": name, "spec": spec} for name, spec in specs.items()]
    file = bench.folder / "connections.yaml"
    file.write_text(yaml.safe_dump_all(connections))
    command = [str(OUR_BIN / "odahu-argo"), "local", "train", "run", "--id", "wine"]
    return Contender(
        OURS,
        [*command, "-f", str(_EXAMPLE / "training.yaml"), "-f", str(file)],
        __version__,
        {"ODAHU_ARGO_HOME": str(bench.folder / "home"), "PATH": _PATH},
        after=lambda: _require_zip(bucket, "ours/"),
    )


def _by_hand(bench: Bench, repository: Path, bucket: Bucket) -> Contender:
    work, records, archive = bench.folder / "by-hand", bench.folder / "by-hand-mlflow", bench.folder / "by-hand.zip"
    project = work / _WORK_DIR
    s5cmd = [*s5cmd_command(bucket), "cp"]
    steps = [
        [system("git"), "clone", "-q", str(repository), str(work)],
        [*s5cmd, bucket.url("data/wine-quality.csv"), str(project / "wine-quality.csv")],
        _run(project),
    ]
    model = f"{shlex.quote(str(records))}/artifacts/models/*/artifacts"
    zip_it = f"cd {model} && {system('zip')} -q -r {shlex.quote(str(archive))} ."
    send = shlex.join([*s5cmd, str(archive), bucket.url("by-hand/model.zip")])

    def before() -> None:
        for folder in (work, records / "artifacts"):
            shutil.rmtree(folder, ignore_errors=True)
        archive.unlink(missing_ok=True)

    script = " && ".join([*(shlex.join(step) for step in steps), zip_it, send])
    return Contender(
        BY_HAND,
        ["/bin/sh", "-ec", script],
        environment=S3_KEYS | _records(records),
        before=before,
        after=lambda: _require_zip(bucket, "by-hand/"),
    )


def _mlflow_run(bench: Bench, data: Path) -> Contender:
    project = bench.folder / "project"
    shutil.copytree(_EXAMPLE / "project", project)
    shutil.copy(data, project / "wine-quality.csv")
    version = output_of(str(OUR_BIN / "mlflow"), "--version").split()[-1]
    return Contender("mlflow run", _run(project), version, _records(bench.folder / "bare-mlflow"))


def _run(project: Path) -> list[str]:
    parameters = ["-P", "alpha=0.1", "-P", "l1-ratio=0.5"]
    return [
        str(OUR_BIN / "mlflow"),
        "run",
        "--env-manager",
        "local",
        "--experiment-name",
        "wine",
        *parameters,
        str(project),
    ]


def _records(home: Path) -> dict[str, str]:
    """Environment for a new MLflow database."""
    from mlflow import MlflowClient

    home.mkdir()
    uri = f"sqlite:///{home}/mlflow.db"
    MlflowClient(tracking_uri=uri).create_experiment("wine", artifact_location=(home / "artifacts").as_uri())
    return {"MLFLOW_TRACKING_URI": uri, "PATH": _PATH}


def _require_zip(bucket: Bucket, folder: str) -> None:
    stored = bucket.keys()
    found = [key for key in stored if key.startswith(folder) and key.endswith(".zip")]
    assert found, f"no zip in {folder}"
