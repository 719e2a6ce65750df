"""JupyterLab as a process of its own, with the extension of this checkout in it."""

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
    """Where it answers, and the folder that it shows."""

    address: str
    root: Path

    def opened(self, path: str = "", mode: str = "lab") -> str:
        """The address at which a browser finds JupyterLab with the document open in it."""
        inside = f"/tree/{path}" if path else ""
        return f"{self.address}/{mode}{inside}?token={TOKEN}&reset"

    def request(self, method: str, path: str, token: str | None = TOKEN, **options: object) -> requests.Response:
        """Send a request to a route below `/odahu-argo/trainings`."""
        headers = {"Authorization": f"token {token}"} if token else {}
        url = f"{self.address}/odahu-argo/trainings{path}"
        return requests.request(method, url, headers=headers, allow_redirects=False, **options)


@contextmanager
def jupyter_lab(tmp_path: Path, *arguments: str, theme: str = "Light", **environment: str) -> Iterator[Lab]:
    """JupyterLab upon `tmp_path/files`; its settings and what is installed for the user lie in `tmp_path` as well.

    The front end is read from the checkout, whatever an earlier `pip install -e` has copied.
    """
    data, files, port = tmp_path / "jupyter", tmp_path / "files", free_port()
    files.mkdir(exist_ok=True)
    (data / "labextensions").mkdir(parents=True)
    (data / "labextensions/odahu-argo").symlink_to(ROOT / "labextension")
    tell(data, "themes", {"theme": f"JupyterLab {theme}"})
    tell(data, "notification", {"fetchNews": "false", "checkForUpdates": False})
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


def tell(data: Path, plugin: str, settings: object) -> None:
    """What a user would set in JupyterLab's settings."""
    file = data / f"settings/@jupyterlab/apputils-extension/{plugin}.jupyterlab-settings"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings))
