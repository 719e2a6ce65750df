"""Conversion of connections to Secrets and back, with and without masked values."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odahu_argo.contract import Workspace
from odahu_argo.errors import UserError
from odahu_argo.kube.cluster import Object
from odahu_argo.manifest.models import Connection
from odahu_argo.manifest.secrets import SECRET_FIELDS
from odahu_argo.resources.connection_secret import connection_id, connection_to_api, connection_to_secret, secret_fields

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n"
BINARY = b64encode(b"\xff\xfe\x00\x01").decode()
URIS = {
    "s3": "s3://wine/data/",
    "gcs": "gs://wine/data",
    "azureblob": "https://account.blob.core.windows.net/box/path",
    "git": "git@git.example.org:ml/wine.git",
}


def connection(**spec: Any) -> Connection:
    return Connection.model_validate({"id": "wine-data", "spec": {"type": "s3", "uri": "s3://wine/data/", **spec}})


def kubectl_secret(name: str, **fields: str) -> Object:
    data = {field: b64encode(value.encode()).decode() for field, value in fields.items()}
    return {"metadata": {"name": name}, "type": "Opaque", "data": data}


text = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"), max_size=40)
"""Field values. Trailing line breaks are preserved in secret values only."""
secrets = text.filter(lambda value: value != "*****")
plain = secrets.map(lambda value: value.rstrip("\r\n"))
values = plain | plain.map(lambda value: b64encode(value.encode()).decode())
specs = st.sampled_from(sorted(URIS)).flatmap(
    lambda kind: st.fixed_dictionaries(
        {"type": st.just(kind), "uri": st.just(URIS[kind])},
        optional={
            **dict.fromkeys(["region", "username", "role", "description", "webUILink", "endpoint"], values),
            **dict.fromkeys(["password", "keyID", "keySecret", "publicKey"], values | secrets),
            "vital": st.booleans(),
        },
    )
)


@given(specs)
def test_decrypted_connection_round_trips(spec: dict[str, Any]) -> None:
    secret = connection_to_secret(connection(**spec, secretEncoding="plain"))
    form = connection_to_api({**secret, "metadata": {**secret["metadata"], "creationTimestamp": "now"}}, decrypted=True)
    shown = {name: value for name, value in form["spec"].items() if name != "secretEncoding"}
    assert shown == {name: value for name, value in spec.items() if value}
    assert connection_to_secret(Connection.model_validate(form)) == secret


@given(specs)
def test_masking_hides_values_and_keeps_field_names(spec: dict[str, Any]) -> None:
    secrets = {name: f"CANARY{spec[name]}" for name in SECRET_FIELDS if spec.get(name)}
    form = connection_to_api(connection_to_secret(connection(**{**spec, **secrets}, secretEncoding="plain")))
    assert "CANARY" not in json.dumps(form)
    assert {name for name, value in form["spec"].items() if value == "*****"} == set(secrets)


def test_base64_fields_are_decoded_in_the_secret() -> None:
    secret = connection_to_secret(connection(keyID=b64encode(b"my-id").decode(), keySecret="not/base64!"))
    assert secret_fields(secret) == {
        "type": "s3",
        "uri": "s3://wine/data/",
        "keyID": "my-id",
        "keySecret": "not/base64!",
    }


def test_binary_secret_is_stored_and_shown_byte_for_byte() -> None:
    encoded = {"keyID": b64encode(b"my-id").decode(), "keySecret": BINARY}
    secret = connection_to_secret(connection(**encoded, secretEncoding="base64"))
    assert secret["data"]["keySecret"] == BINARY
    form = connection_to_api({**secret, "metadata": {**secret["metadata"], "creationTimestamp": "now"}}, decrypted=True)
    assert form["spec"].items() >= {**encoded, "secretEncoding": "base64"}.items()
    assert connection_to_secret(Connection.model_validate(form)) == secret


def test_binary_password_of_a_registry_is_rejected() -> None:
    with pytest.raises(UserError, match="password is not text"):
        connection_to_secret(
            connection(type="docker", uri="reg.example.org", username="me", password=BINARY, secretEncoding="base64")
        )


def test_mounted_secret_gives_a_step_the_fields_of_the_manifest(tmp_path: Path) -> None:
    secret = connection_to_secret(connection(type="git", uri=URIS["git"], keySecret=KEY, publicKey="host ssh-rsa A"))
    folder = tmp_path / "wine-data"
    folder.mkdir()
    for name, value in secret["data"].items():
        (folder / name).write_bytes(b64decode(value))
    mounted = Workspace(tmp_path, tmp_path, tmp_path).connection("wine-data")
    assert mounted == {"type": "git", "uri": URIS["git"], "keySecret": KEY.rstrip(), "publicKey": "host ssh-rsa A"}
    assert b64decode(secret["data"]["keySecret"]).decode() == KEY


def test_secret_has_name_and_labels_of_the_connection() -> None:
    secret = connection_to_secret(connection())
    assert secret["metadata"] == {
        "name": "connection-wine-data",
        "labels": {
            "app.kubernetes.io/managed-by": "odahu-argo",
            "odahu.org/connection-id": "wine-data",
            "odahu.org/connection-type": "s3",
        },
    }
    assert secret["type"] == "Opaque"


def test_docker_connection_becomes_a_pull_secret_and_round_trips() -> None:
    secret = connection_to_secret(connection(type="docker", uri="reg.example.org/team", username="me", password="pw?"))
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    [(registry, entry)] = json.loads(b64decode(secret["data"][".dockerconfigjson"]))["auths"].items()
    assert (registry, entry["username"], entry["password"]) == ("reg.example.org", "me", "pw?")
    shown = connection_to_api(secret)["spec"]
    assert shown == {"type": "docker", "uri": "reg.example.org/team", "username": "me", "password": "*****"}
    assert connection_to_api(secret, decrypted=True)["spec"]["password"] == "pw?"


def test_pull_secret_created_by_kubectl_is_a_docker_connection() -> None:
    config = json.dumps({"auths": {"reg.example.org": {"username": "me", "password": "CANARY", "auth": "CANARY"}}})
    secret = {
        **kubectl_secret("connection-images", **{".dockerconfigjson": config}),
        "type": "kubernetes.io/dockerconfigjson",
    }
    shown = connection_to_api(secret)
    expected = {"type": "docker", "uri": "reg.example.org", "username": "me", "password": "*****"}
    assert (shown["id"], shown["spec"]) == ("images", expected)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"auths": 1}', '{"auths": {}}', '{"auths": {"x": 1}}'])
def test_malformed_pull_secret_is_a_docker_connection_without_fields(content: str) -> None:
    secret = {
        **kubectl_secret("connection-x", **{".dockerconfigjson": content}),
        "type": "kubernetes.io/dockerconfigjson",
    }
    assert connection_to_api(secret)["spec"]["type"] == "docker"


def test_credentials_in_a_uri_are_masked() -> None:
    secret = kubectl_secret("connection-code", type="git", uri="https://me:CANARY@git.example.org/x.git?token=CANARY")
    assert connection_to_api(secret)["spec"]["uri"] == "https://***@git.example.org/x.git?***"
    assert "me:CANARY@" in connection_to_api(secret, decrypted=True)["spec"]["uri"]


@pytest.mark.parametrize("spec", [{"keySecret": "*****"}, {"type": "git", "uri": "https://***@git.example.org/x.git"}])
def test_masked_values_are_rejected(spec: dict[str, str]) -> None:
    with pytest.raises(UserError, match=r"masked values: (keySecret|uri)\n.*conn get --decrypted"):
        connection_to_secret(connection(**spec))


def test_ecr_is_rejected_with_an_alternative() -> None:
    with pytest.raises(UserError, match=r"passwords expire after 12 hours(.|\n)*grant the nodes' AWS role pull"):
        connection_to_secret(
            connection(type="ecr", uri="1.dkr.ecr.eu-west-1.amazonaws.com/x", keyID="a", keySecret="b")
        )


def test_unknown_keys_are_listed_without_values() -> None:
    secret = kubectl_secret("connection-wine", type="s3", uri="s3://wine/", keysecret="CANARY")
    assert connection_to_api(secret)["status"]["unknownKeys"] == ["keysecret"]
    assert "CANARY" not in json.dumps(connection_to_api(secret, decrypted=True))


def test_other_secrets_are_not_connections() -> None:
    assert connection_id(kubectl_secret("connection-wine")) == "wine"
    assert connection_id(kubectl_secret("wine")) is None
    assert connection_id(kubectl_secret("connection-")) is None
    assert connection_id({**kubectl_secret("connection-x"), "type": "helm.sh/release.v1"}) is None


def test_trailing_line_breaks_are_removed() -> None:
    assert secret_fields(kubectl_secret("connection-x", keyID="me\n", keySecret="a\nb\r\n")) == {
        "keyID": "me",
        "keySecret": "a\nb",
    }
