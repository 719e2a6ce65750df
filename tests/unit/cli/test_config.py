"""`odahu-argo config`, and the precedence of options, environment variables and saved settings."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from tests.commands import CommandResult, odahu_argo


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "settings" / "config"
    monkeypatch.setenv("ODAHU_ARGO_CONFIG", str(file))
    for name in ("NAMESPACE", "CONTEXT", "PROFILE"):
        monkeypatch.delenv(f"ODAHU_ARGO_{name}", raising=False)
    return file


def config(*arguments: object) -> CommandResult:
    ran = odahu_argo("config", *arguments)
    assert ran.code == 0, ran.err
    return ran


def namespace(*arguments: object) -> str:
    ran = odahu_argo("setup", *arguments)
    assert ran.code == 0, ran.err
    [found] = set(re.findall(r'namespace: "(.*)"', ran.out))
    return found


def test_saves_private_file_and_prints_like_odahuflowctl(kept: Path) -> None:
    assert config("path").out == f"{kept}\n"
    assert config("get", "NAMESPACE").out == "NAMESPACE - The namespace where trainings run\n  default: None\n"
    told = f"NAMESPACE - The namespace where trainings run\n  default: None\n  current: 'ml'\n  from: {kept}\n"
    assert config("set", "namespace", "ml").out == told
    assert config("get", "NAMESPACE", "--show-secrets").out == told
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert told in config("all").out and "CONTEXT - " in config("all").out
    assert "current" not in config("set", "NAMESPACE", "").out


def test_option_precedes_environment_and_saved_value(monkeypatch: pytest.MonkeyPatch) -> None:
    config("set", "NAMESPACE", "kept")
    assert namespace() == "kept"
    monkeypatch.setenv("ODAHU_ARGO_NAMESPACE", "environment")
    assert "current: 'environment'\n  from: ODAHU_ARGO_NAMESPACE\n" in config("get", "NAMESPACE").out
    assert namespace() == "environment"
    assert namespace("-n", "option") == "option"


def test_saves_absolute_path(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("namespace: of-the-profile\n", encoding="utf-8")
    odahu_argo("config", "set", "PROFILE", "site.yaml", cwd=tmp_path)
    assert namespace() == "of-the-profile"


@pytest.mark.parametrize("text", ["no section = 1\n", "[general]\nnamespaces = ml\n", "[general\n"])
def test_rejects_invalid_configuration_file(kept: Path, text: str) -> None:
    kept.parent.mkdir()
    kept.write_text(text, encoding="utf-8")
    for arguments in (["plan"], ["config", "set", "NAMESPACE", "ml"]):
        ran = odahu_argo(*arguments)
        assert ran.code == 2 and ran.out == ""
        assert str(kept) in ran.err or "'NAMESPACES' is unknown" in ran.err
    assert kept.read_text(encoding="utf-8") == text


def test_unknown_variable_lists_known_ones() -> None:
    ran = odahu_argo("config", "set", "MODEL_HOST", "x")
    assert ran.code == 2 and "LOCAL_MODEL_OUTPUT_DIR" in ran.err


def test_local_server_ignores_saved_namespace() -> None:
    config("set", "NAMESPACE", "ml")
    refused = odahu_argo("server", "--local", "-n", "ml")
    assert refused.code == 2 and "--local cannot be combined with --namespace" in refused.err
    goes_on = odahu_argo("server", "--local", "--host", "0.0.0.0")
    assert goes_on.code == 2 and "without --token-file or OpenID, only loopback addresses are allowed" in goes_on.err
