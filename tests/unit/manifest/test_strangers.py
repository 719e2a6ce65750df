"""Manifests that mean harm: each is refused with a plain word, within bounds on processor time and memory."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from tests.commands import odahu_argo
from tests.manifests import CONNECTIONS

MEMORY = 1024**3
"""Bytes of address space, for all of the program."""
SECONDS = 20
"""Of processor time, at which the kernel kills it."""
LONGEST_ANSWER = 100_000
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
    "aliases of aliases": (f"a0: &a0 [x]\n{LAUGHS}\n", "more than 100000 values, each alias (*name) counted"),
    "aliases of a long text": (
        f"a: &a {'x' * 1_000_000}\nb: [{', '.join(['*a'] * 90_000)}]\n",
        "more than 4194304 characters of text, each alias",
    ),
    "merged aliases": (
        f"a: &a {{{', '.join(f'k{n}: v' for n in range(1000))}}}\nb: {{<<: [{', '.join(['*a'] * 1000)}]}}\n",
        "more than 100000 values, each alias (*name) counted",
    ),
    "an alias of itself": ("a: &a [*a]\n", "this one has no anchor"),
    "deep lists": ("a: " + "[" * 1_000_000, "nested deeper than 64 levels"),
    "deep mappings": ("{a: " * 500_000, "nested deeper than 64 levels"),
    "deep on many lines": ("\n".join("  " * n + "a:" for n in range(2000)), "nested deeper than 64 levels"),
    "very many values": ("a: [" + "1," * 1_000_000 + "]", "more than 100000 values"),
    "very many documents": ("---\nkind: ModelTraining\n" * 100_000, "more than 10000 documents"),
    "very many fields": (
        "kind: ModelTraining\nid: a\n" + "\n".join(f"x{n}: 1" for n in range(90_000)),
        "more are wrong",
    ),
    "very many downloads": (
        TRAINING.format(model="", more=f"data: [{'{connName: wine-data, localPath: a},' * 16_000}]"),
        "spec.data: holds more than 2000 entries",
    ),
    "very many variables": (
        TRAINING.format(model="", more="envs: [" + ",".join(f"{{name: A{n}, value: b}}" for n in range(16_000)) + "]"),
        "spec.envs: holds more than 2000 entries",
    ),
    "downloads over each other": (
        TRAINING.format(model="", more=f"data: [{'{connName: wine-data, localPath: a},' * 1_000}]"),
        "and 899 more problems",
    ),
    "a key twice": ("kind: ModelTraining\nid: a\nid: b\n", "the key 'id' stands twice"),
    "a key twice in one line": ("{kind: ModelTraining, id: a, kind: Connection}", "the key 'kind' stands twice"),
    "an object of Python's": ("a: !!python/object/apply:os.system [touch x]\n", "the tag tag:yaml.org,2002:python/"),
    "a tag of somebody": ("a: !vault text\n", "the tag !vault is not understood"),
    "a huge file": ("# " + "x" * 5_000_000, "is larger than 4 MiB"),
    "no text": ("\0\1\2", "not valid YAML"),
    "an integer with a million digits": (
        TRAINING.format(model="", more=f"resources: {{limits: {{cpu: {'9' * 1_000_000}}}}}"),
        "is not a quantity",
    ),
    "a number of GPUs with ten thousand digits": (
        TRAINING.format(model="", more=f"resources: {{limits: {{gpu: {'9' * 10_000}}}}}"),
        "is not a whole number",
    ),
    "a huge exponent": (
        TRAINING.format(model="", more="resources: {limits: {memory: 1e999999999}}"),
        "is not a quantity",
    ),
    "an artifact name of many fields": (
        TRAINING.format(model=f", artifactNameTemplate: '{'{{ .RandomUUID }}' * 100_000}'", more=""),
        "1700000 characters; 1000 are allowed",
    ),
    "an artifact name as long as may be": (
        TRAINING.format(model=f", artifactNameTemplate: '{'{{.RandomUUID}}' * 60}'", more=""),
        "255 are allowed",
    ),
    "an artifact name of blanks and braces": (
        TRAINING.format(model=f", artifactNameTemplate: '{'{{- ' * 200}'", more=""),
        "more than plain text and fields",
    ),
    "a field of a thousand characters": (TRAINING.format(model="", more=f"{'x' * 1_000}: 1"), "there is no field"),
    "a value of a megabyte": (TRAINING.format(model="", more=f"image: '{'x ' * 500_000}'"), "is not a container image"),
}


def bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


@pytest.mark.parametrize(("text", "told"), BOMBS.values(), ids=BOMBS.keys())
def test_a_manifest_that_means_harm_is_refused_in_bounded_time_and_memory(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "stranger.yaml").write_text(text)
    (tmp_path / "connections.yaml").write_text(CONNECTIONS)
    ran = odahu_argo("compile", "-f", "stranger.yaml", "-f", "connections.yaml", cwd=tmp_path, preexec_fn=bounded)
    assert ran.code == 2, ran.err[-500:]
    assert told in ran.err
    assert "stranger.yaml" in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err) < LONGEST_ANSWER
    assert (ran.out, sorted(path.name for path in tmp_path.iterdir())) == ("", ["connections.yaml", "stranger.yaml"])
