"""Swagger UI in a real browser that resolves no other host than the server."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from odahu_argo.local.home import Home
from tests.servers.api import serving
from tests.servers.programs import require_program


def test_swagger_ui_shows_every_route_without_external_requests(
    tmp_path: Path, prepare_home: Callable[[Path], Home]
) -> None:
    chromium = require_program("chromium")
    (tmp_path / "token").write_text("0123456789abcdef")
    home = str(prepare_home(tmp_path / "home").root)
    with serving("--local", "--token-file", tmp_path / "token", ODAHU_ARGO_HOME=home) as address:
        origin = f"http://api.example.org:{address.rpartition(':')[2]}"
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--virtual-time-budget=20000"]
        hosts = "--host-resolver-rules=MAP api.example.org 127.0.0.1, MAP * ~NOTFOUND"
        files = [f"--user-data-dir={tmp_path / 'browser'}", f"--log-net-log={tmp_path / 'net.json'}"]
        command = [chromium, *flags, hosts, *files, "--dump-dom", f"{origin}/swagger/index.html"]
        page = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    shown = set(re.findall(r'data-path="([^"]+)"', page))
    assert {"/api/v1/model/training/{id}/log", "/api/v1/connection/{id}/decrypted", "/health"} <= shown
    asked = requested_urls(tmp_path / "net.json", origin)
    assert {f"{origin}/openapi.json", f"{origin}/swagger/static/swagger-ui-bundle.js"} <= asked
    assert [url for url in asked if not url.startswith(f"{origin}/")] == []


def requested_urls(log: Path, origin: str) -> set[str]:
    """Return the URLs that pages of this origin requested; the browser itself also requests updates.

    Each line has one event; the list may lack its closing bracket if the browser exited early.
    """
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith('{"params')]
    events = [json.loads(line[: line.rindex("}") + 1]) for line in lines]
    asked = [event["params"] for event in events if event.get("params", {}).get("url")]
    return {item["url"] for item in asked if str(item.get("initiator")).startswith(origin)}
