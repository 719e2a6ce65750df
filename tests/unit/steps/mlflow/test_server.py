"""Start of the MLflow server in its pod: artifact store, database migration, and errors without secrets."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from odahu_argo.errors import UserError
from odahu_argo.steps.mlflow.server import artifact_store_variables, require_mlflow, upgrade_database
from tests.commands import odahu_argo
from tests.servers.mlflow_pod import mount
from tests.servers.postgres import PASSWORD, Postgres, postgres
from tests.servers.programs import free_port
from tests.servers.s3 import KEY_SECRET, Bucket

__all__ = ["postgres"]


def test_missing_or_unsuitable_connection_exits_with_2(tmp_path: Path) -> None:
    missing = odahu_argo("mlflow-server", "--connection", tmp_path / "models", "--", "--port", "5000")
    assert (missing.code, missing.out) == (2, "")
    assert "connection 'models' is not mounted" in missing.err
    mount(tmp_path / "code", {"type": "git", "uri": "https://git.example.org/a"})
    wrong = odahu_argo("mlflow-server", "--connection", tmp_path / "code")
    assert wrong.code == 2 and "a connection of type 'git' cannot store MLflow's artifacts" in wrong.err


def test_missing_mlflow_server_is_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    require_mlflow()
    monkeypatch.setattr("odahu_argo.steps.mlflow.server.version", absent)
    with pytest.raises(UserError, match="MLflow's server is not installed"):
        require_mlflow()


def test_unreachable_artifact_store_is_warning(
    bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    mount(tmp_path / "models", bucket.fields("zips"))
    variables = artifact_store_variables(tmp_path / "models", "mlflow")
    assert variables["MLFLOW_ARTIFACTS_DESTINATION"] == f"s3://{bucket.name}/zips/mlflow"
    output = capsys.readouterr().out
    assert output == f"mlflow: storing artifacts in s3://{bucket.name}/zips/mlflow\n"
    mount(tmp_path / "gone", bucket.elsewhere())
    artifact_store_variables(tmp_path / "gone", "mlflow")
    output = capsys.readouterr().out
    assert "mlflow: warning: the artifact store is not available yet: cannot list s3://not-there" in output
    assert KEY_SECRET not in output


def test_key_files_are_private(bucket: Bucket, tmp_path: Path) -> None:
    mount(tmp_path / "models", bucket.fields(role="arn:aws:iam::123456789012:role/mlflow"))
    file = Path(artifact_store_variables(tmp_path / "models", "")["AWS_CONFIG_FILE"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_migrates_tables_of_first_mlflow(tmp_path: Path) -> None:
    from mlflow import MlflowClient
    from mlflow.store.db.base_sql_model import Base  # noqa: F401  # the present tables
    from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase
    from sqlalchemy import create_engine, text

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    engine = create_engine(uri)
    InitialBase.metadata.create_all(engine)
    with engine.begin() as connection:
        columns = "(experiment_id, name, artifact_location, lifecycle_stage)"
        connection.execute(text(f"INSERT INTO experiments {columns} VALUES (7, 'old', 'file:///a', 'active')"))
    engine.dispose()
    assert upgrade_database(uri) == uri
    assert MlflowClient(tracking_uri=uri).get_experiment("7").name == "old"
    assert upgrade_database(uri) == uri


_UPGRADE = """
import contextlib, io, json, sys
import mlflow.store.db.utils
from odahu_argo.errors import OdahuArgoError
from odahu_argo.steps.mlflow.server import upgrade_database
mlflow.store.db.utils.MAX_RETRY_COUNT = 1  # of ten tries, some minutes
results = []
for uri in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(output):
        try:
            code, text = 0, upgrade_database(uri)
        except OdahuArgoError as error:
            code, text = error.exit_code, str(error)
    results.append((code, text, output.getvalue()))
print(json.dumps(results))
"""


def upgraded(*uris: str) -> list[tuple[int, str, str]]:
    """Migrate databases in another process, which closes all connections.

    Return for each the exit code, the result or error, and the other output.
    """
    process = subprocess.run([sys.executable, "-c", _UPGRADE, *uris], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return [tuple(result) for result in json.loads(process.stdout)]


def test_creates_tables_in_empty_postgresql(postgres: Postgres) -> None:
    for code, uri, log in upgraded(postgres.uri.replace("postgresql://", "postgres://"), postgres.uri):
        assert (code, uri) == (0, postgres.uri)
        assert PASSWORD not in log


def test_database_failure_is_service_fault_without_password(postgres: Postgres) -> None:
    wrong = PASSWORD[::-1]
    reasons = {
        postgres.uri.replace(PASSWORD, wrong): "password authentication failed",
        f"postgresql://mlflow:{wrong}@127.0.0.1:{free_port()}/postgres": "Connection refused",
    }
    for reason, (code, message, log) in zip(reasons.values(), upgraded(*reasons), strict=True):
        assert code == 3
        [line] = [line for line in message.splitlines() if line.startswith("the database ")]
        assert "127.0.0.1" in line and " failed: " in line
        assert reason in message
        assert wrong not in message + log


def test_invalid_database_uri_is_user_error() -> None:
    for code, message, log in upgraded(
        "nonsense", "postgresql+nothing://u:secret-canary@h/d", "https://u:secret-canary@h"
    ):
        assert code == 2, message
        assert "set MLFLOW_BACKEND_STORE_URI to postgresql://" in message
        assert "canary" not in message + log
