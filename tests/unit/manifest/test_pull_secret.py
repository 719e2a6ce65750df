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


def test_user_and_password_stand_under_the_registry() -> None:
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
def test_the_registry_is_the_host_of_the_address_as_docker_reads_it(uri: str, registry: str) -> None:
    assert list(json.loads(docker_config(connection(uri=uri)))["auths"]) == [registry]


@pytest.mark.parametrize("plain", ["mypassword", '{\n  "type": "service_account"\n}', "pässwort"])
def test_the_password_may_be_written_in_base64(plain: str) -> None:
    [entry] = json.loads(docker_config(connection(password=encoded(plain))))["auths"].values()
    assert (entry["password"], base64.b64decode(entry["auth"]).decode()) == (plain, f"robot:{plain}")


def test_the_reading_of_the_password_can_be_forced() -> None:
    [entry] = json.loads(docker_config(connection(password="cGxhaW4=", secretEncoding="plain")))["auths"].values()
    assert entry["password"] == "cGxhaW4="
    with pytest.raises(UserError, match="field password is not the base64 of any text"):
        docker_config(connection(secretEncoding="base64"))


@pytest.mark.parametrize(
    ("left_out", "told"),
    [
        ({"username": ""}, "has no username"),
        ({"password": ""}, "has no password"),
        ({"username": "", "password": ""}, "has no username and password"),
    ],
)
def test_what_is_missing_is_told_without_the_rest(left_out: dict[str, str], told: str) -> None:
    with pytest.raises(UserError, match=told) as refused:
        docker_config(connection(**left_out))
    assert "s3cret!" not in str(refused.value)


def test_ecr_is_refused_with_a_way_out() -> None:
    uri = "012345678901.dkr.ecr.eu-central-1.amazonaws.com/team"
    with pytest.raises(UserError, match="12 hours") as refused:
        docker_config(connection(type="ecr", uri=uri, keyID="AKIA", keySecret="s3cret!"))
    [problem] = refused.value.problems
    assert problem.hint is not None
    assert "image_pull_secrets" in problem.hint


def test_a_bucket_gives_no_images() -> None:
    with pytest.raises(UserError, match="type s3, which gives no images"):
        docker_config(connection(type="s3", uri="s3://bucket"))
