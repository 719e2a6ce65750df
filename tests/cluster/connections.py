"""Connections with secrets that must never be printed, and their Secrets in the cluster."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import yaml

from odahu_argo.kube.client import KubeCluster
from odahu_argo.kube.cluster import SECRET

S3 = {"type": "s3", "uri": "s3://wine/data/", "region": "eu", "keyID": "CANARY-id", "keySecret": "CANARY-secret"}
GIT = {"type": "git", "uri": "https://me:CANARYurl@git.example.org/x.git", "username": "me", "password": "CANARYpw"}
DOCKER = {"type": "docker", "uri": "reg.example.org/team", "username": "me", "password": "CANARYpull"}


def manifests(folder: Path, **connections: dict[str, Any]) -> Path:
    file = folder / "connections.yaml"
    documents = [
        {"kind": "Connection", "id": name.replace("_", "-"), "spec": spec} for name, spec in connections.items()
    ]
    file.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return file


def data(cluster: KubeCluster, name: str) -> dict[str, str]:
    return {key: b64decode(value).decode() for key, value in cluster.get(SECRET, name)["data"].items()}


def secret_names(cluster: KubeCluster) -> list[str]:
    return [secret["metadata"]["name"] for secret in cluster.list(SECRET).items]
