"""Fuzzer for the invariants of `targets`: `python -m tests.fuzz loader|status [libFuzzer options]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["odahu_argo"]):
    from tests.fuzz.targets import TARGETS

from tests.fuzz.seeds import SEEDS

WORDS = ("kind: ", "ModelTraining", "Connection", "ToolchainIntegration", "id: ", "spec:", "{{ .Name }}", "- ", "---\n")
WORDS += ("<<: ", "&a ", "*a", "!!str ", "|\n ", "hyperParameters:", "artifactNameTemplate: ", "1e9", "null", "\\ud83d")


def main() -> None:
    name, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        corpus, words = Path(folder) / "corpus", Path(folder) / "words"
        corpus.mkdir()
        for number, seed in enumerate(SEEDS[name]()):
            (corpus / str(number)).write_bytes(seed)
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS))
        atheris.Setup(
            [name, f"-dict={words}", "-timeout=20", "-max_len=16384", "-rss_limit_mb=2048", *options, str(corpus)],
            TARGETS[name],
        )
        atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


main()
