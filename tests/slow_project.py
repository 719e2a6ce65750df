"""MLflow project whose second epoch lasts until a file exists, for tests that observe a running training."""

from __future__ import annotations

from pathlib import Path

from tests.servers.git import git

MLPROJECT = """\
name: slow
entry_points:
  main: {parameters: {go: string, rate: float}, command: "python train.py {go} {rate}"}
"""
TRAIN = """\
import sys, time
from pathlib import Path
import mlflow

go, rate = Path(sys.argv[1]), float(sys.argv[2])
with mlflow.start_run():
    for epoch in range(1, 9):
        mlflow.log_metric("loss", 1 / epoch, step=epoch)
        print(f"epoch {epoch} of 8 <b>bold</b>", flush=True)
        while epoch == 2 and not go.exists():
            time.sleep(0.05)
"""


def create_repository(repository: Path) -> None:
    """Create a git repository with the project on its branch `main`."""
    repository.mkdir()
    (repository / "MLproject").write_text(MLPROJECT)
    (repository / "train.py").write_text(TRAIN)
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "Add project")
