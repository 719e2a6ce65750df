"""Random manifests give identical bytes in two independent processes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from odahu_argo.manifest.load import load_with_problems
from odahu_argo.plan.build import plan_trainings
from odahu_argo.profile import Profile
from tests.conftest import ROOT

MANY = 400
IDS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
LABELS = st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", fullmatch=True)
VARIABLES = st.from_regex(r"[A-Z_a-z][A-Za-z0-9_]{0,20}", fullmatch=True).filter(
    lambda t: not t.startswith("ODAHU_ARGO_")
)
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40)
PATHS = st.from_regex(r"[A-Za-z0-9_]{1,12}(/[A-Za-z0-9_]{1,12}){0,2}/?", fullmatch=True)
PARAMETERS = st.dictionaries(st.from_regex(r"\w([\w .:-]{0,20}\w)?", fullmatch=True), TEXT, max_size=8)
"""Any name that MLflow accepts and that is not a path."""
CPU, MEMORY, GPU = st.sampled_from(["2", "3500m"]), st.sampled_from(["8Gi", "16Gi"]), st.sampled_from(["0", "1", "8"])
AMOUNTS = st.fixed_dictionaries({}, optional={"cpu": CPU, "memory": MEMORY, "gpu": GPU})


@st.composite
def trainings(draw: st.DrawFn) -> dict[str, Any]:
    """Strategy for valid ModelTrainings with arbitrary text."""
    paths = draw(st.lists(PATHS, max_size=4, unique_by=lambda path: path.partition("/")[0]))
    names = draw(st.lists(VARIABLES, max_size=4, unique=True))
    spec = {
        "model": {"name": draw(LABELS), "version": draw(LABELS)},
        "toolchain": draw(st.sampled_from(["mlflow", "mlflow-project"])),
        "vcsName": "code",
        "reference": draw(st.sampled_from(["", "main", "v1.0"])),
        "entrypoint": draw(TEXT.filter(bool)),
        "hyperParameters": draw(PARAMETERS),
        "envs": [{"name": name, "value": draw(TEXT)} for name in names],
        "data": [{"connName": draw(st.sampled_from(["one", "two"])), "localPath": path} for path in paths],
        "resources": {"limits": draw(AMOUNTS)},
        "schedules": draw(st.lists(st.sampled_from(["@daily", "0 3 * * 1"]), max_size=2, unique=True)),
    }
    return {"kind": "ModelTraining", "id": draw(IDS), "spec": spec}


def corpus() -> list[dict[str, Any]]:
    """Return many generated trainings with unique IDs, the same in each test run."""
    generated: list[dict[str, Any]] = []
    checks = list(HealthCheck)

    @seed(7)
    @settings(max_examples=MANY, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=checks)
    @given(trainings())
    def collect(training: dict[str, Any]) -> None:
        generated.append({**training, "id": f"{training['id'][:50].rstrip('-')}-{len(generated)}"})

    collect()
    return generated[:MANY]


PROGRAM = """
import hashlib, sys
from pathlib import Path
from odahu_argo.compile.emit import to_json, to_yaml
from odahu_argo.compile.workflow import compile_workflow
from odahu_argo.gitops.render import render_files
from odahu_argo.manifest.load import load_with_problems
from odahu_argo.plan.build import plan_trainings
from odahu_argo.profile import Profile

plans = plan_trainings(load_with_problems(map(Path, sys.argv[1:])), Profile(external_secrets={"store": "vault"}))
for plan in sorted(plans, key=lambda plan: plan.training_id):
    workflow = compile_workflow(plan)
    text = to_yaml([workflow]) + to_json([workflow])
    print(plan.training_id, hashlib.sha256(text.encode()).hexdigest())
for path, text in render_files(plans).items():
    print(path, hashlib.sha256(text.encode()).hexdigest())
"""

ENVIRONMENTS = (
    {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "UTC"},
    {"PYTHONHASHSEED": "4711", "LC_ALL": "C.UTF-8", "TZ": "Asia/Kathmandu"},
)


def test_output_is_identical_across_processes_and_file_orders(tmp_path: Path) -> None:
    manifests = corpus()
    assert len(manifests) == MANY
    connections = [
        {"kind": "Connection", "id": "code", "spec": {"type": "git", "uri": "https://git.example.org/x.git"}},
        {"kind": "Connection", "id": "one", "spec": {"type": "s3", "uri": "s3://one/"}},
        {"kind": "Connection", "id": "two", "spec": {"type": "gcs", "uri": "gs://two/x/"}},
    ]
    files = [tmp_path / f"{number}.json" for number in range(20)]
    for number, file in enumerate(files):
        file.write_text(json.dumps(manifests[number :: len(files)] + (connections if number == 0 else [])))
    shuffled = random.Random(1).sample(files, len(files))
    outputs = []
    for environment, order, folder in zip(ENVIRONMENTS, (files, shuffled), (ROOT, tmp_path), strict=True):
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, order)],
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr[-2000:]
        outputs.append(ran.stdout)
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == MANY + 2 * MANY + 4 + 3
    assert len(plan_trainings(load_with_problems(files), Profile())) == MANY
