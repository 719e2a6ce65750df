"""Hostile manifests: each is rejected with a clear error, within limits on CPU time and memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.manifests import CONNECTIONS

MEMORY = 1024**3
"""Limit on the address space of the process in bytes."""
CPU_SECONDS = 20
"""CPU time after which the kernel kills the process."""
MAX_OUTPUT = 100_000
TRAINING = """\
kind: ModelTraining
id: wine
spec:
  toolchain: mlflow
  vcsName: code
  model: {{name: wine, version: "1"{model}}}
  {more}
"""
LAUGHS = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))
BOMBS = {
    "aliases of aliases": (f"a0: &a0 [x]\n{LAUGHS}\n", "more than 100000 values, counting the contents of each alias"),
    "aliases of a long text": (
        f"a: &a {'x' * 1_000_000}\nb: [{', '.join(['*a'] * 90_000)}]\n",
        "more than 4194304 characters, counting the contents of each alias",
    ),
    "merged aliases": (
        f"a: &a {{{', '.join(f'k{n}: v' for n in range(1000))}}}\nb: {{<<: [{', '.join(['*a'] * 1000)}]}}\n",
        "more than 100000 values, counting the contents of each alias",
    ),
    "an alias of itself": ("a: &a [*a]\n", "has no anchor"),
    "deep lists": ("a: " + "[" * 1_000_000, "nested deeper than 64 levels"),
    "deep mappings": ("{a: " * 500_000, "nested deeper than 64 levels"),
    "deep on many lines": ("\n".join("  " * n + "a:" for n in range(2000)), "nested deeper than 64 levels"),
    "very many values": ("a: [" + "1," * 1_000_000 + "]", "more than 100000 values"),
    "very many documents": ("---\nkind: ModelTraining\n" * 100_000, "more than 10000 documents"),
    "very many fields": (
        "kind: ModelTraining\nid: a\n" + "\n".join(f"x{n}: 1" for n in range(90_000)),
        "and 89900 more unknown fields",
    ),
    "very many downloads": (
        TRAINING.format(model="", more=f"data: [{'{connName: wine-data, localPath: a},' * 16_000}]"),
        "spec.data: must have at most 2000 entries",
    ),
    "very many variables": (
        TRAINING.format(model="", more="envs: [" + ",".join(f"{{name: A{n}, value: b}}" for n in range(16_000)) + "]"),
        "spec.envs: must have at most 2000 entries",
    ),
    "downloads over each other": (
        TRAINING.format(model="", more=f"data: [{'{connName: wine-data, localPath: a},' * 1_000}]"),
        "and 899 more problems",
    ),
    "a key twice": ("kind: ModelTraining\nid: a\nid: b\n", "duplicate key 'id'"),
    "a key twice in one line": ("{kind: ModelTraining, id: a, kind: Connection}", "duplicate key 'kind'"),
    "Python object": ("a: !!python/object/apply:os.system [touch x]\n", "unsupported tag tag:yaml.org,2002:python/"),
    "custom tag": ("a: !vault text\n", "unsupported tag !vault"),
    "a huge file": ("# " + "x" * 5_000_000, "larger than 4 MiB"),
    "no text": ("\0\1\2", "invalid YAML"),
    "an integer with a million digits": (
        TRAINING.format(model="", more=f"resources: {{limits: {{cpu: {'9' * 1_000_000}}}}}"),
        "is not a quantity",
    ),
    "a number of GPUs with ten thousand digits": (
        TRAINING.format(model="", more=f"resources: {{limits: {{gpu: {'9' * 10_000}}}}}"),
        "is not a non-negative whole number",
    ),
    "a huge exponent": (
        TRAINING.format(model="", more="resources: {limits: {memory: 1e999999999}}"),
        "is not a quantity",
    ),
    "an artifact name of many fields": (
        TRAINING.format(model=f", artifactNameTemplate: '{'{{ .RandomUUID }}' * 100_000}'", more=""),
        "1700000 characters; the limit is 1000",
    ),
    "an artifact name as long as may be": (
        TRAINING.format(model=f", artifactNameTemplate: '{'{{.RandomUUID}}' * 60}'", more=""),
        "the limit is 255",
    ),
    "an artifact name of blanks and braces": (
        TRAINING.format(model=f", artifactNameTemplate: '{'{{- ' * 200}'", more=""),
        "only plain text and fields are allowed",
    ),
    "a field of a thousand characters": (
        TRAINING.format(model="", more=f"data: [{{localPath: a, {'x' * 1_000}: 1}}]"),
        "data[0].connName: required field is missing",
    ),
    "a value of a megabyte": (
        TRAINING.format(model="", more=f"image: '{'x ' * 500_000}'"),
        "is not a valid container image",
    ),
}


def limit_resources() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))


@pytest.mark.parametrize(("text", "message"), BOMBS.values(), ids=BOMBS.keys())
def test_rejects_hostile_manifest_within_limits(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "hostile.yaml").write_text(text)
    (tmp_path / "connections.yaml").write_text(CONNECTIONS)
    command = [sys.executable, "-m", "odahu_argo", "compile", "-f", "hostile.yaml", "-f", "connections.yaml"]
    ran = subprocess.run(
        command, cwd=tmp_path, preexec_fn=limit_resources, capture_output=True, encoding="utf-8", check=False
    )
    assert ran.returncode == 2, ran.stderr[-500:]
    assert message in ran.stderr
    assert "hostile.yaml" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr) < MAX_OUTPUT
    assert (ran.stdout, sorted(path.name for path in tmp_path.iterdir())) == ("", ["connections.yaml", "hostile.yaml"])
