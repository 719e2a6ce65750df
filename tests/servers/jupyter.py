"""JupyterLab as a process with the extension of this checkout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.conftest import ROOT
from tests.servers.programs import free_port, serving

TOKEN = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address and root folder."""

    address: str
    root: Path

    def opened(self, path: str = "", mode: str = "lab") -> str:
        """Return the address of JupyterLab with the document open."""
        inside = f"/tree/{path}" if path else ""
        return f"{self.address}/{mode}{inside}?token={TOKEN}&reset"

    def request(self, method: str, path: str, token: str | None = TOKEN, **options: object) -> requests.Response:
        """Send a request to a route below `/odahu-argo/trainings`."""
        headers = {"Authorization": f"token {token}"} if token else {}
        url = f"{self.address}/odahu-argo/trainings{path}"
        return requests.request(method, url, headers=headers, allow_redirects=False, **options)


@contextmanager
def jupyter_lab(tmp_path: Path, *arguments: str, theme: str = "Light", **environment: str) -> Iterator[Lab]:
    """Run JupyterLab on `tmp_path/files`. Its settings and user extensions are in `tmp_path/jupyter`.

    The front end is read from the checkout, whatever an earlier `pip install -e` has copied.
    """
    data, files, port = tmp_path / "jupyter", tmp_path / "files", free_port()
    files.mkdir(exist_ok=True)
    (data / "labextensions").mkdir(parents=True)
    (data / "labextensions/odahu-argo").symlink_to(ROOT / "labextension")
    write_setting(data, "themes", {"theme": f"JupyterLab {theme}"})
    write_setting(data, "notification", {"fetchNews": "false", "checkForUpdates": False})
    settings = {f"JUPYTER_{name}": str(data) for name in ("PATH", "DATA_DIR", "CONFIG_DIR", "RUNTIME_DIR")}
    command = [
        sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}",
        "--ServerApp.port_retries=0", "--ip=127.0.0.1", f"--ServerApp.root_dir={files}", f"--IdentityProvider.token={TOKEN}",
        "--ServerApp.jpserver_extensions={'odahu_argo.jupyter': True}", *arguments,
    ]  # fmt: skip
    for name in ("SETTINGS", "WORKSPACES"):
        settings[f"JUPYTERLAB_{name}_DIR"] = str(data / name.lower())
    with serving(port, *command, **settings, **environment):
        yield Lab(f"http://127.0.0.1:{port}", files)


def write_setting(data: Path, plugin: str, settings: object) -> None:
    """Write a user setting of JupyterLab."""
    file = data / f"settings/@jupyterlab/apputils-extension/{plugin}.jupyterlab-settings"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings))
