"""Connections of a training's steps, written to a private folder in the layout of a mounted Kubernetes Secret."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from odahu_argo.contract import DIRECTORY, PackageSpec
from odahu_argo.errors import Problem, UserError
from odahu_argo.local.home import Home
from odahu_argo.manifest.models import Connection
from odahu_argo.manifest.secrets import decode_connection, encoded_secrets, secret_bytes
from odahu_argo.plan.model import Plan

_BUCKET_URI = re.compile(r"(s3[an]?|gsc?)://[\w.-]+(/.*)?")
"""URI in which `?` and `#` belong to the path, and which cannot contain credentials."""
_MIN_SECRET_LENGTH = 4
"""Characters. Redacting shorter values would make logs unreadable and protect nothing."""


@dataclass(frozen=True, slots=True)
class StepConnection:
    """Connection of one step: its ID, and its fields by ODAHU's names, in plain text.

    `secrets` are the values to redact, `decoded` the fields that were base64-encoded in the manifest.
    """

    id: str
    fields: Mapping[str, str] = field(repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    decoded: tuple[str, ...] = ()

    def redact(self, text: str) -> str:
        """Replace every secret in a text by `***`."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def step_connections(
    plan: Plan, connections: Mapping[str, Connection], artifacts: Path, output_dir: Path | None
) -> dict[str, StepConnection]:
    """Return the connection of each step that has one, by step name.

    The trained model is written to `output_dir` if set, else to the output connection, else to the folder `artifacts` if
    the output connection exists only on the cluster.

    Raises:
        UserError: a connection exists only on the cluster; one problem for each.
    """
    by_step: dict[str, StepConnection] = {}
    missing: dict[str, str] = {}
    for step in plan.steps:
        name = step.connection
        if name is None:
            continue
        connection = connections.get(name)
        if step.kind == "package" and (output_dir is not None or connection is None):
            folder = (output_dir or artifacts).absolute()
            by_step[step.name] = StepConnection(name, {"type": "file", "uri": folder.as_uri()})
        elif connection is None:
            missing.setdefault(name, step.name)
        else:
            by_step[step.name] = _step_connection(connection)
    if missing:
        raise UserError(_missing_connection(name, step) for name, step in missing.items())
    return by_step


def with_local_output(plan: Plan, connections: Mapping[str, StepConnection]) -> Plan:
    """Return the plan that writes the trained model as a directory if its destination is a folder on this machine."""
    steps = tuple(
        replace(step, spec=replace(step.spec, artifact_format=DIRECTORY))
        if isinstance(step.spec, PackageSpec) and connections[step.name].fields.get("type") == "file"
        else step
        for step in plan.steps
    )
    return replace(plan, steps=steps)


def _step_connection(connection: Connection) -> StepConnection:
    plain, written = decode_connection(connection), encoded_secrets(connection.spec)
    secrets = [value for name in ("password", "keySecret") for value in (written[name], plain.fields.get(name, ""))]
    secrets.append(urlsplit(connection.spec.uri).password or "")
    lines = {line.strip() for secret in secrets for line in secret.splitlines()}
    redacted = frozenset(line for line in lines if len(line) >= _MIN_SECRET_LENGTH and not line.startswith("-----"))
    return StepConnection(connection.id, plain.fields, redacted, plain.decoded)


def _missing_connection(name: str, step: str) -> Problem:
    return Problem(
        f"step {step} needs connection {name!r}, which exists only on the cluster",
        hint=f"pass the manifest of {name} with -f",
    )


def output_uri(plan: Plan, connections: Mapping[str, StepConnection]) -> str:
    """Return the URI that the trained model is written to, without credentials."""
    package = next(step for step in plan.steps if step.kind == "package")
    written = connections[package.name].fields.get("uri", "").strip()
    if _BUCKET_URI.fullmatch(written):
        return written
    uri = urlsplit(written)
    return urlunsplit((uri.scheme, uri.netloc.rpartition("@")[2], uri.path, "", ""))


@contextmanager
def private_folder(home: Home, training_id: str) -> Iterator[Path]:
    """Create a temporary folder that only this user can access. It is removed on exit."""
    folder = Path(tempfile.mkdtemp(prefix=_folder_prefix(home, training_id)))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_stale_folders(home: Home, training_id: str) -> None:
    """Remove private folders left by a killed process. The caller must hold the training's lock."""
    for folder in Path(tempfile.gettempdir()).glob(_folder_prefix(home, training_id) + "*"):
        if folder.lstat().st_uid == os.getuid():
            shutil.rmtree(folder, ignore_errors=True)


def _folder_prefix(home: Home, training_id: str) -> str:
    return f"odahu-argo-{hashlib.sha256(str(home.root).encode()).hexdigest()[:8]}-{training_id}."


def write_connection(connection: StepConnection | None, folder: Path) -> Path:
    """Write one file per field, with mode 0600, and return the folder to pass to the step as its connections folder."""
    root = folder / "connections"
    root.mkdir(mode=0o700)
    if connection is not None:
        mount = root / connection.id
        mount.mkdir(mode=0o700)
        for name, value in connection.fields.items():
            descriptor = os.open(mount / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as stream:  # noqa: PTH123  # not a path
                stream.write(secret_bytes(value))
    return root
