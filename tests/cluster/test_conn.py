"""`odahu-argo conn` on a real Kubernetes API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from odahu_argo.errors import NotFound
from odahu_argo.kube.client import KubeCluster
from odahu_argo.kube.cluster import SECRET, WORKFLOW, Object
from tests.cluster.connections import DOCKER, GIT, S3, data, manifests, secret_names
from tests.commands import CommandResult, odahu_argo

pytestmark = pytest.mark.cluster

Conn = Callable[..., CommandResult]


@pytest.fixture
def conn(cluster: KubeCluster) -> Conn:
    """Run `odahu-argo conn` in the test's namespace. Without --decrypted, its output must not contain a secret."""

    def run(*arguments: object, **options: Any) -> CommandResult:
        result = odahu_argo("conn", *arguments, "-n", cluster.namespace, **options)
        assert "--decrypted" in arguments or "CANARY" not in result.out + result.err
        return result

    return run


def opaque(name: str, **fields: str) -> Object:
    return {"metadata": {"name": name}, "type": "Opaque", "stringData": fields}


def test_apply_creates_and_updates(conn: Conn, cluster: KubeCluster, tmp_path: Path) -> None:
    file = manifests(tmp_path, wine_data=S3, code=GIT, images=DOCKER)
    result = conn("apply", "-f", file)
    assert result.code == 0, result.err
    assert result.out == "connection wine-data created\nconnection code created\nconnection images created\n"
    assert data(cluster, "connection-wine-data") == S3
    again = conn("apply", "-f", file)
    assert again.out == "connection wine-data unchanged\nconnection code unchanged\nconnection images unchanged\n"
    manifests(tmp_path, wine_data={name: value for name, value in S3.items() if name != "region"}, code=GIT)
    assert conn("apply", "-f", file).out == "connection wine-data updated\nconnection code unchanged\n"
    assert "region" not in data(cluster, "connection-wine-data")


def test_invalid_manifest_prevents_all_changes(conn: Conn, cluster: KubeCluster, tmp_path: Path) -> None:
    invalid = {**S3, "secretEncoding": "base64"}
    ecr = {"type": "ecr", "uri": "1.dkr.ecr.eu-west-1.amazonaws.com/x", "keyID": "CANARYid", "keySecret": "CANARYkey"}
    result = conn("apply", "-f", manifests(tmp_path, wine_data=S3, mistaken=invalid, pulls=ecr, code={"type": "git"}))
    assert result.code == 2
    assert "uri: required field is missing" in result.err
    assert "'mistaken': keyID is not base64" in result.err
    assert "passwords expire after 12 hours" in result.err
    assert secret_names(cluster) == []


def test_rejected_secret_prevents_all_changes(conn: Conn, cluster: KubeCluster, tmp_path: Path) -> None:
    large = {**S3, "keySecret": "CANARY" + "x" * 2**20}
    for command in ("apply", "create"):
        result = conn(command, "-f", manifests(tmp_path, code=GIT, large=large))
        assert result.code == 2 and "cannot" in result.err
        assert secret_names(cluster) == []


def test_missing_namespace_is_reported(kubeconfig: str, tmp_path: Path) -> None:
    result = odahu_argo("conn", "apply", "-f", manifests(tmp_path, code=GIT), "-n", "not-there")
    assert result.code == 2 and "namespace not-there does not exist" in result.err


def test_create_requires_a_new_and_edit_an_existing_connection(
    conn: Conn, cluster: KubeCluster, tmp_path: Path
) -> None:
    file = manifests(tmp_path, wine_data=S3)
    missing = conn("edit", "-f", file)
    assert missing.code == 2 and "there is no connection 'wine-data'" in missing.err
    assert conn("create", "-f", file).out == "connection wine-data created\n"
    manifests(tmp_path, code=GIT, wine_data={**S3, "region": "us"})
    rejected = conn("create", "-f", file)
    assert (
        rejected.code == 2 and "connection 'wine-data' already exists" in rejected.err and "conn edit" in rejected.err
    )
    assert secret_names(cluster) == ["connection-wine-data"]
    ignored = conn("create", "-f", file, "--ignore-if-exists")
    assert (ignored.code, ignored.out) == (0, "connection code created\nconnection wine-data already exists\n")
    assert data(cluster, "connection-wine-data")["region"] == "eu"
    assert conn("edit", "-f", file).out == "connection code unchanged\nconnection wine-data updated\n"
    assert data(cluster, "connection-wine-data")["region"] == "us"


def test_get_masks_secrets_and_decrypted_output_can_be_applied(conn: Conn, tmp_path: Path) -> None:
    assert conn("apply", "-f", manifests(tmp_path, wine_data=S3, code=GIT, images=DOCKER)).code == 0
    for form in ("table", "wide", "json", "yaml", "jsonpath=[*]"):
        shown = conn("get", "-o", form)
        assert shown.code == 0 and "wine" in shown.out
    [masked] = json.loads(conn("get", "--id", "wine-data", "-o", "json").out)
    assert masked["spec"] == {**S3, "keyID": "*****", "keySecret": "*****"}
    assert conn("get", "--id", "code", "-o", "jsonpath=[*].spec.uri").out == "https://***@git.example.org/x.git\n"
    rejected = conn("apply", "-f", "-", stdin=conn("get", "-o", "yaml").out)
    assert rejected.code == 2 and "masked values" in rejected.err
    opened = conn("get", "-o", "yaml", "--decrypted")
    assert {item["id"]: item["spec"].get("keySecret") for item in yaml.safe_load(opened.out)}[
        "wine-data"
    ] == "CANARY-secret"
    again = conn("apply", "-f", "-", stdin=opened.out)
    assert again.out == "connection code unchanged\nconnection images unchanged\nconnection wine-data unchanged\n"


def test_secrets_created_by_kubectl_are_connections(conn: Conn, cluster: KubeCluster, tmp_path: Path) -> None:
    cluster.create(SECRET, opaque("connection-mine", type="s3", uri="s3://wine/", keyid="CANARY"))
    cluster.create(SECRET, opaque("other", type="s3"))
    shown = conn("get", "-o", "json")
    [form] = json.loads(shown.out)
    assert (form["id"], form["spec"]) == ("mine", {"type": "s3", "uri": "s3://wine/"})
    assert "connection-mine has keys that are not fields of a connection: keyid" in shown.err
    assert conn("apply", "-f", manifests(tmp_path, mine=S3)).out == "connection mine updated\n"
    assert data(cluster, "connection-mine") == S3
    changed = conn("apply", "-f", manifests(tmp_path, mine=DOCKER))
    assert changed.code == 2 and "conn delete --id mine" in changed.err


def test_delete_lists_workflows_that_use_the_connection(conn: Conn, cluster: KubeCluster, tmp_path: Path) -> None:
    file = manifests(tmp_path, wine_data=S3, code=GIT)
    assert conn("apply", "-f", file).code == 0
    volume = {"name": "v", "secret": {"secretName": "connection-wine-data"}}
    template = {"name": "t", "container": {"image": "x"}, "volumes": [volume]}
    workflow = {"metadata": {"name": "wine-1"}, "spec": {"entrypoint": "t", "templates": [template]}}
    cluster.create(WORKFLOW, workflow)
    cluster.create(WORKFLOW, {**workflow, "metadata": {"name": "old-1"}, "status": {"phase": "Succeeded"}})
    result = conn("delete", "--id", "wine-data")
    assert (result.code, result.out) == (0, "connection wine-data deleted\n")
    assert result.err == "note: steps of wine-1 that mount it will not start\n"
    missing = conn("delete", "-f", file)
    assert missing.code == 2 and "there is no connection 'wine-data'" in missing.err
    assert secret_names(cluster) == ["connection-code"]
    ignored = conn("delete", "-f", file, "--ignore-not-found")
    assert (ignored.code, ignored.out) == (0, "connection wine-data does not exist\nconnection code deleted\n")
    with pytest.raises(NotFound):
        cluster.get(SECRET, "connection-code")


def test_connection_must_be_specified_exactly_once(conn: Conn) -> None:
    assert conn("delete").code == 2
    assert conn("delete", "--id", "a", "-f", "x.yaml").code == 2
    assert conn("get", "--id", "../x").code == 2
