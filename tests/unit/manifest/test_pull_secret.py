from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from odahu_argo.errors import UserError
from odahu_argo.manifest.models import Connection
from odahu_argo.manifest.secrets import docker_config

HUB = "https://index.docker.io/v1/"


def connection(**spec: Any) -> Connection:
    fields = {"type": "docker", "uri": "registry.example.org/team", "username": "robot", "password": "s3cret!", **spec}
    return Connection.model_validate({"id": "images", "spec": fields})


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_config_contains_credentials_of_registry() -> None:
    entry = {"username": "robot", "password": "s3cret!", "auth": encoded("robot:s3cret!")}
    assert json.loads(docker_config(connection())) == {"auths": {"registry.example.org": entry}}


@pytest.mark.parametrize(
    ("uri", "registry"),
    [
        ("registry.example.org", "registry.example.org"),
        ("registry.example.org:5000/team/models", "registry.example.org:5000"),
        ("https://registry.example.org/v2/", "registry.example.org"),
        ("https://someone@registry.example.org/v2/", "registry.example.org"),
        ("localhost/team", "localhost"),
        ("https://registry/team", "registry"),
        ("gcr.io/project/odahuflow", "gcr.io"),
        ("docker.io/odahu/", HUB),
        ("https://index.docker.io/v1/", HUB),
        ("odahu/models", HUB),
    ],
)
def test_registry_of_uri(uri: str, registry: str) -> None:
    assert list(json.loads(docker_config(connection(uri=uri)))["auths"]) == [registry]


@pytest.mark.parametrize("plain", ["mypassword", '{\n  "type": "service_account"\n}', "pässwort"])
def test_password_in_base64(plain: str) -> None:
    [entry] = json.loads(docker_config(connection(password=encoded(plain))))["auths"].values()
    assert (entry["password"], base64.b64decode(entry["auth"]).decode()) == (plain, f"robot:{plain}")


def test_password_with_explicit_encoding() -> None:
    [entry] = json.loads(docker_config(connection(password="cGxhaW4=", secretEncoding="plain")))["auths"].values()
    assert entry["password"] == "cGxhaW4="
    with pytest.raises(UserError, match="password is not base64"):
        docker_config(connection(secretEncoding="base64"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"username": ""}, "has no username"),
        ({"password": ""}, "has no password"),
        ({"username": "", "password": ""}, "has no username and password"),
    ],
)
def test_reports_missing_credentials_without_secrets(overrides: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        docker_config(connection(**overrides))
    assert "s3cret!" not in str(error.value)


def test_rejects_ecr_with_hint() -> None:
    uri = "012345678901.dkr.ecr.eu-central-1.amazonaws.com/team"
    with pytest.raises(UserError, match="12 hours") as error:
        docker_config(connection(type="ecr", uri=uri, keyID="AKIA", keySecret="s3cret!"))
    [problem] = error.value.problems
    assert problem.hint is not None
    assert "image_pull_secrets" in problem.hint


def test_rejects_bucket() -> None:
    with pytest.raises(UserError, match="type s3, which cannot pull images"):
        docker_config(connection(type="s3", uri="s3://bucket"))
