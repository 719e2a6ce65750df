"""The connections of a training, as far as this machine has them, laid out for one step as a pod's Secret volume would be."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from odahu_argo.errors import Problem, UserError
from odahu_argo.local.home import Home
from odahu_argo.manifest.models import Connection
from odahu_argo.manifest.secrets import decode_connection, encoded_secrets
from odahu_argo.plan.model import Plan

_PATH_IN_BUCKET = re.compile(r"(s3[an]?|gsc?)://[\w.-]+(/.*)?")
"""Here `?` and `#` belong to the path, and there is no place for credentials."""
_SHORTEST_HIDDEN = 4
"""Characters. Hiding shorter values would make logs unreadable and protect nothing."""


@dataclass(frozen=True, slots=True)
class StepConnection:
    """The one connection of a step: its id and its fields by ODAHU's names.

    `secrets` are those of their values that nobody may see, `decoded` the fields that the manifest held as base64.
    """

    id: str
    fields: Mapping[str, str] = field(repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    decoded: tuple[str, ...] = ()

    def hide_secrets(self, text: str) -> str:
        """The text with every secret value in it, or line of one, replaced by `***`."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def step_connections(
    plan: Plan, connections: Mapping[str, Connection], artifacts: Path, output_dir: Path | None
) -> dict[str, StepConnection]:
    """The connection of each step that has one, by the step's name.

    The trained model goes to `output_dir` where there is one, else to the output connection, else, where only the cluster
    has that, to the folder `artifacts`.

    Raises:
        UserError: a connection that a step reads lives on the cluster; all of them are told.
    """
    found: dict[str, StepConnection] = {}
    missing: dict[str, str] = {}
    for step in plan.steps:
        name = step.connection
        if name is None:
            continue
        connection = connections.get(name)
        if step.kind == "package" and (output_dir is not None or connection is None):
            folder = (output_dir or artifacts).absolute()
            found[step.name] = StepConnection(name, {"type": "file", "uri": folder.as_uri()})
        elif connection is None:
            missing.setdefault(name, step.name)
        else:
            found[step.name] = _plain(connection)
    if missing:
        raise UserError(_lives_on_the_cluster(name, step) for name, step in missing.items())
    return found


def output_uri(plan: Plan, connections: Mapping[str, StepConnection]) -> str:
    """Where the trained model goes, without credentials that someone may have put into the address."""
    package = next(step for step in plan.steps if step.kind == "package")
    written = connections[package.name].fields.get("uri", "").strip()
    if _PATH_IN_BUCKET.fullmatch(written):
        return written
    uri = urlsplit(written)
    return urlunsplit((uri.scheme, uri.netloc.rpartition("@")[2], uri.path, "", ""))


@contextmanager
def private_directory(home: Home, training_id: str) -> Iterator[Path]:
    """A folder that only this user may enter, outside of all run folders; it is removed at the end, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix=_prefix(home, training_id)))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_stale_directories(home: Home, training_id: str) -> None:
    """Remove private folders that a killed process has left. The training's lock must be held."""
    for folder in Path(tempfile.gettempdir()).glob(_prefix(home, training_id) + "*"):
        if folder.lstat().st_uid == os.getuid():
            shutil.rmtree(folder, ignore_errors=True)


def write_connection(connection: StepConnection | None, folder: Path) -> Path:
    """The folder of connections for one step: none, or one with a file, readable by this user alone, for each field."""
    root = folder / "connections"
    root.mkdir(mode=0o700)
    if connection is not None:
        place = root / connection.id
        place.mkdir(mode=0o700)
        for name, value in connection.fields.items():
            handle = os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(handle, "w", encoding="utf-8", newline="") as stream:  # noqa: PTH123  # a handle, not a path
                stream.write(value)
    return root


def _plain(connection: Connection) -> StepConnection:
    plain, written = decode_connection(connection), encoded_secrets(connection.spec)
    secrets = [value for name in ("password", "keySecret") for value in (written[name], plain.fields.get(name, ""))]
    secrets.append(urlsplit(connection.spec.uri).password or "")
    lines = {line.strip() for secret in secrets for line in secret.splitlines()}
    hidden = frozenset(line for line in lines if _is_worth_hiding(line))
    return StepConnection(connection.id, plain.fields, hidden, plain.decoded)


def _is_worth_hiding(line: str) -> bool:
    return len(line) >= _SHORTEST_HIDDEN and not line.startswith("-----")


def _lives_on_the_cluster(name: str, step: str) -> Problem:
    return Problem(
        f"the connection {name!r}, which the step {step} needs, lives on the cluster; it cannot be used on this machine",
        hint=f"give the manifest of {name} by -f",
    )


def _prefix(home: Home, training_id: str) -> str:
    return f"odahu-argo-{hashlib.sha256(str(home.root).encode()).hexdigest()[:8]}-{training_id}."
