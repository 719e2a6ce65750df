"""Train the wine example on this machine, from its manifest to a packed model in an S3 bucket: `make demo`.

Code comes from this repository through git. Data and the model are stored on a local S3 server (moto, an emulator) that this
script starts and stops. All files are in build/demo.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config
from sklearn.datasets import load_wine

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "demo"
TRAINING = Path("examples/01-wine-quality/training.yaml")
CONNECTIONS = Path("build/demo/connections.yaml")
REGION = "eu-central-1"
KEYS = {"keyID": "demo", "keySecret": "demo-secret"}
MANIFESTS = ["-f", str(TRAINING), "-f", str(CONNECTIONS)]


def main() -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    os.environ["ODAHU_ARGO_HOME"] = str(BUILD / "home")
    with s3_server() as endpoint:
        store = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id=KEYS["keyID"],
            aws_secret_access_key=KEYS["keySecret"],
            config=Config(s3={"addressing_style": "path"}),
        )
        upload_data(store)
        write_connections(endpoint)
        heading("Plan")
        odahu_argo("plan", *MANIFESTS)
        heading("Training on this machine")
        odahu_argo("local", "train", "run", "--id", "wine", *MANIFESTS)
        heading("Status")
        odahu_argo("local", "train", "get", "--id", "wine", "-o", "yaml")
        archive = fetch_model(store)
    heading("Model")
    with tarfile.open(archive) as model:
        print("\n".join(f"{entry.size:>9}  {entry.name}" for entry in model if entry.isfile()))
    heading("The same training as an Argo Workflow")
    odahu_argo("compile", "--validate", *MANIFESTS, "--output-dir", "build/demo/workflows")
    print_next_steps(archive)


@contextmanager
def s3_server() -> Iterator[str]:
    """Run an S3 server on loopback and yield its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (BUILD / "s3-server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def wait_for(port: int, server: subprocess.Popen[bytes], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit(f"the S3 server did not start; see {BUILD / 's3-server.log'}")


def upload_data(store: Any) -> None:
    """Upload scikit-learn's wine data; its class, 0 to 2, serves as the quality."""
    wines = load_wine(as_frame=True).frame.rename(columns={"target": "quality"})
    for bucket in ("wine", "models"):
        store.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    store.put_object(Bucket="wine", Key="data/wine-quality.csv", Body=wines.to_csv(index=False).encode())


def write_connections(endpoint: str) -> None:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    if commit.returncode != 0:
        sys.exit(f"the demo clones this repository, and {ROOT} is not a git repository: {commit.stderr.strip()}")
    s3 = {"type": "s3", "region": REGION, "endpoint": endpoint, **KEYS}
    connections = {
        "odahu-argo": {"type": "git", "uri": ROOT.as_uri(), "reference": commit.stdout.strip()},
        "wine-data": {**s3, "uri": "s3://wine/data/wine-quality.csv"},
        "models-output": {**s3, "uri": "s3://models/output"},
    }
    documents = [{"kind": "Connection", "id": name, "spec": spec} for name, spec in connections.items()]
    (ROOT / CONNECTIONS).write_text(yaml.safe_dump_all(documents, sort_keys=False), encoding="utf-8")


def fetch_model(store: Any) -> Path:
    """Download the model before the server stops."""
    [uploaded] = store.list_objects_v2(Bucket="models", Prefix="output/")["Contents"]
    archive = BUILD / Path(uploaded["Key"]).name
    store.download_file("models", uploaded["Key"], str(archive))
    return archive


def odahu_argo(*arguments: str) -> None:
    print(f"$ odahu-argo {shlex.join(arguments)}", flush=True)
    result = subprocess.run([sys.executable, "-m", "odahu_argo", *arguments], cwd=ROOT)
    if result.returncode != 0:
        sys.exit(result.returncode)


def heading(text: str) -> None:
    print(f"\n=== {text} ===", flush=True)


def print_next_steps(archive: Path) -> None:
    home = "ODAHU_ARGO_HOME=build/demo/home .venv/bin/odahu-argo"
    heading("Next steps")
    for subject, command in {
        "the workflow": "less build/demo/workflows/wine.yaml",
        "the model": f"tar -tvf {archive.relative_to(ROOT)}",
        "the logs": f"{home} local train logs --id wine",
        "the status": f"{home} local train get --id wine",
        "the metrics": ".venv/bin/mlflow ui --backend-store-uri sqlite:///build/demo/home/mlflow.db",
    }.items():
        print(f"  {subject:<13} {command}")


if __name__ == "__main__":
    main()
