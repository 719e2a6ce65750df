"""No output, compiled file, store or run directory contains a connection's secret."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from odahu_argo.local.home import Home
from tests.commands import odahu_argo
from tests.servers.git import git
from tests.servers.programs import free_port

KEY_FILE = "-----BEGIN OPENSSH PRIVATE KEY-----\nCANARYkeyline\n-----END OPENSSH PRIVATE KEY-----\n"
ACCOUNT = json.dumps({"type": "service_account", "private_key": "CANARYprivatekey", "client_email": "a@b.example"})
SECRETS = {
    "s3": {"keyID": "CANARYid", "keySecret": "CANARYsecret"},
    "gcs": {"keySecret": ACCOUNT},
    "azureblob": {"keySecret": "CANARYaccountkey0000=="},
    "git": {"username": "user", "password": "CANARYpassword", "keySecret": KEY_FILE},
    "docker": {"username": "user", "password": "CANARYregistry"},
    "ecr": {"keyID": "CANARYecrid", "keySecret": "CANARYecrsecret"},
}
URIS = {
    "s3": ["s3://bucket/path"],
    "gcs": ["gs://bucket/path"],
    "azureblob": ["https://account.blob.core.windows.net/box/path?sv=1&sig=CANARYsignature"],
    "docker": ["registry.example.org/team"],
    "ecr": ["012345678901.dkr.ecr.eu-central-1.amazonaws.com"],
    "git": ["https://user:CANARYurl@127.0.0.1:{port}/x.git?token=CANARYtoken", "ssh://git@127.0.0.1:{port}/x.git"],
}
REGISTRIES = ("docker", "ecr")
CASES = [
    (kind, uri, encoded)
    for kind, uris in URIS.items()
    for uri in uris
    for encoded in ([True] if kind in REGISTRIES else [False, True])
]


@pytest.mark.parametrize(("kind", "uri", "encoded"), CASES)
def test_secrets_appear_only_in_their_manifest(
    kind: str, uri: str, encoded: bool, tmp_path: Path, prepare_home: Callable[[Path], Home]
) -> None:
    manifests = write_manifests(tmp_path / "manifests", kind, uri.format(port=free_port()), encoded)
    profile = tmp_path / "profile.txt"
    profile.write_text("retries: {transfer: 0}\n")
    home, out = prepare_home(tmp_path / "home"), tmp_path / "compiled"
    runs = [
        odahu_argo("plan", "-d", manifests),
        odahu_argo("plan", "-d", manifests, "-o", "json"),
        odahu_argo("compile", "-d", manifests, "--output-dir", out),
        odahu_argo("compile", "-d", manifests, "-o", "json", "--id", "wine"),
        odahu_argo("compile", "-d", manifests, "--id", "no-such-training"),
        odahu_argo(
            *("local", "train", "run", "--id", "wine", "-d", manifests, "--profile", profile),
            env=os.environ | home.environment,
        ),
        odahu_argo("conn", "apply", "-d", manifests, env={**os.environ, "KUBECONFIG": str(tmp_path / "none")}),
    ]
    assert [result.code for result in runs] == [0, 0, 0, 0, 2, 4, 2]
    for result in runs:
        assert not canaries_in(result.out + result.err)
    assert not [
        file for file in files_below(tmp_path, besides=manifests) if canaries_in(file.read_text(errors="replace"))
    ]


def write_manifests(folder: Path, kind: str, uri: str, encoded: bool) -> Path:
    folder.mkdir()
    repository = folder.parent / "repository"
    repository.mkdir()
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "empty")
    secrets = SECRETS[kind]
    if encoded:
        secrets = {k: v if k == "username" else base64.b64encode(v.encode()).decode() for k, v in secrets.items()}
    tested = {
        "type": kind,
        "uri": uri,
        "endpoint": f"http://127.0.0.1:{free_port()}/account",
        "region": "eu",
        **secrets,
    }
    plain = {"type": "git", "uri": repository.as_uri()}
    data = [{"connName": "tested", "localPath": "data/"}] if kind in ("s3", "gcs", "azureblob") else []
    training = {
        "model": {"name": "wine", "version": "1"},
        "toolchain": "mlflow",
        "vcsName": "tested" if kind == "git" else "plain",
        "data": data,
    }
    documents = [{"kind": "ModelTraining", "id": "wine", "spec": training}]
    documents += [
        {"kind": "Connection", "id": name, "spec": s} for name, s in {"tested": tested, "plain": plain}.items()
    ]
    (folder / "all.yaml").write_text(yaml.safe_dump_all(documents))
    return folder


def files_below(folder: Path, besides: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.is_file() and besides not in file.parents)


def canaries_in(text: str) -> bool:
    encoded = [base64.b64encode(v.encode()).decode() for s in SECRETS.values() for k, v in s.items() if k != "username"]
    return "CANARY" in text or any(value in text for value in encoded)


def test_search_finds_canaries() -> None:
    assert canaries_in("x CANARYid y")
    assert canaries_in(base64.b64encode(b"CANARYsecret").decode())


WRONG = (
    "{type: s3, uri: 's3:/CANARYid:CANARYsecret@bucket/path'}",
    "{type: azureblob, uri: 'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=CANARYkey=='}",
    "{type: gcs, uri: 'https://x.blob.core.windows.net/box?sig=CANARYsignature'}",
    "{type: s3, uri: 'https://user:<CANARY>@host/x.git'}",
    "{type: git, uri: 'https://host/x.git', password: *CANARYunquoted}",
    "{type: git, uri: 'https://host/x.git', password: {CANARY: CANARY}}",
    "{type: git, uri: 'https://host/x.git', keySecret: [CANARY]}",
    "{type: git, uri: 'https://host/x.git', keySecrt: CANARY}",
    "{type: git, uri: 'https://host/x.git', password: CANARY: x}",
    "{type: git, uri: 'https://host/x.git', password: CANARY, secretEncoding: CANARY}",
    '{type: git, uri: "https://host/x.git", password: "CANARY\\q"}',
    "{type: git, uri: 'https://host/x.git', password: @CANARY}",
)


@pytest.mark.parametrize("command", [["compile"], ["plan", "-o", "json"], ["conn", "apply"]])
def test_errors_of_invalid_connections_contain_no_secrets(command: list[str], tmp_path: Path) -> None:
    for number, spec in enumerate(WRONG):
        (tmp_path / f"{number}.yaml").write_text(f"kind: Connection\nid: tested-{number}\nspec: {spec}\n")
    result = odahu_argo(*command, "-d", tmp_path, env={**os.environ, "KUBECONFIG": str(tmp_path / "none")})
    assert result.code == 2
    assert [number for number in range(len(WRONG)) if f"{number}.yaml" not in result.err] == []
    assert "CANARY" not in result.out + result.err


def test_errors_of_invalid_base64_contain_no_secrets(tmp_path: Path) -> None:
    file = tmp_path / "connection.yaml"
    spec = "{type: git, uri: 'https://host/x.git', password: CANARY!, secretEncoding: base64}"
    file.write_text(f"kind: Connection\nid: tested\nspec: {spec}\n")
    result = odahu_argo("conn", "apply", "-f", file)
    assert result.code == 2
    assert "password is not base64" in result.err
    assert "CANARY" not in result.out + result.err
