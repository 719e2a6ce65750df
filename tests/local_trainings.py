"""Records of local trainings for the pages and the JupyterLab panel."""

from __future__ import annotations

import json

from odahu_argo.local.store import LocalTraining, StepRecord

HOSTILE = "<script>window.hacked = 1</script><img src=x onerror='window.hacked=1'>\"'&amp;\x1b[31mred\x1b[0m\x00"
TIMES = tuple(f"2026-01-01T00:0{minute}:00.000+00:00" for minute in range(6))
STEPS = (
    StepRecord("checkout", "succeeded", 0, "", TIMES[0], TIMES[1]),
    StepRecord("download-flower-images", "succeeded", 0, "", TIMES[1], TIMES[3]),
    StepRecord("download-pretrained", "succeeded", 0, "", TIMES[1], TIMES[2]),
    StepRecord("train", "failed", 2, "the file labels.csv is missing", TIMES[3], TIMES[4]),
    StepRecord("package", "skipped"),
)
FLOWERS = LocalTraining(
    "flowers",
    "flowers",
    "2.1",
    "mlflow",
    "failed",
    TIMES[0],
    TIMES[4],
    "d",
    "file:///models",
    "train: no labels",
    2,
    spec=json.dumps(
        {
            "model": {"name": "flowers", "version": "2.1"},
            "toolchain": "mlflow",
            "hyperParameters": {"epochs": "20"},
        }
    ),
    steps=STEPS,
)
