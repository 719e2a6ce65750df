"""Manifests of trainings with six steps: checkout, three downloads, train on a GPU, package."""

from __future__ import annotations

from pathlib import Path

DATA = ("images", "weights", "labels")

_TRAINING = """\
kind: ModelTraining
id: {id}
spec:
  model:
    name: {id}
    version: 3.0
  toolchain: mlflow
  entrypoint: main
  vcsName: code
  reference: v3.0
  workDir: mlflow/{id}
  image: registry.example.org/ml/tensorflow-gpu:2.16
  data:
    - connName: images
      localPath: data/images/
    - connName: weights
      localPath: data/weights.h5
      remotePath: mobilenet/v2/weights.h5
    - connName: labels
      localPath: data/labels/
  hyperParameters:
    epochs: {epochs}
    batch-size: 64
    optimizer: adam
  envs:
    - name: TF_FORCE_GPU_ALLOW_GROWTH
      value: true
  resources:
    limits:
      cpu: 4
      memory: 16Gi
      gpu: 1
    requests:
      cpu: 2
      memory: 8Gi
"""
_CONNECTIONS = """\
kind: Connection
id: code
spec:
  type: git
  uri: git@git.example.org:ml/flowers.git
  reference: main
"""
_BUCKET = """\
---
kind: Connection
id: {name}
spec:
  type: s3
  uri: s3://flowers/{name}/
  region: eu-central-1
"""
PROFILE = """\
namespace: ml-training
image_pull_secrets: [registry]
external_connections: [models-output]
pools:
  cpu:
    node_selector: {mode.odahu.training: "true"}
  gpu:
    node_selector: {mode.odahu.gpu-training: "true"}
    tolerations:
      - {key: dedicated, operator: Equal, value: training-gpu, effect: NoSchedule}
    pending_timeout: 45m
  other_steps: on_cpu
workspace:
  size: 100Gi
  storage_class: regional-ssd
tracking:
  uri: http://mlflow.ml-platform.svc:5000
  credentials_secret: mlflow-credentials
"""


def write(folder: Path, count: int) -> Path:
    """Write `count` trainings, one file each, with their connections and a profile; return the profile's path."""
    manifests = folder / "manifests"
    manifests.mkdir(parents=True)
    for number in range(count):
        text = _TRAINING.format(id=f"flowers-{number:05}", epochs=20 + number % 7)
        (manifests / f"training-{number:05}.yaml").write_text(text)
    (manifests / "connections.yaml").write_text(_CONNECTIONS + "".join(_BUCKET.format(name=name) for name in DATA))
    profile = folder / "profile.yaml"
    profile.write_text(PROFILE)
    return profile
