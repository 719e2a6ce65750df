"""A plan in plain words and as a drawing, for a person who decides whether to run it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from odahu_argo import naming, quantity
from odahu_argo.contract import CheckoutSpec, DownloadSpec, PackageSpec, TrainSpec
from odahu_argo.manifest.resolve import BUILT_IN_TOOLCHAINS
from odahu_argo.plan.model import Amounts, ConnectionUse, Plan, Step

_TRACKING = {
    "training": "on the server that the training's environment names",
    "server": "on the profile's tracking server",
    "workspace": "in the workspace, gone with it after success (set tracking.uri in the profile to keep them)",
}
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def explain(plan: Plan) -> str:
    """The whole plan: the drawing, a sentence for each step, and what must be on the cluster."""
    sections = [
        f"Training {plan.training_id}: model {plan.model_name}, version {plan.model_version}, toolchain {plan.toolchain}",
        draw(plan),
        "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(sentences(plan), start=1)),
        "\n".join(_operation(plan)),
    ]
    return "\n\n".join(sections) + "\n"


def sentences(plan: Plan) -> Iterator[str]:
    """What each step does, on which nodes, in the order of the plan."""
    uses = {use.id: use for use in plan.connections}
    for step in plan.steps:
        yield f"{step.name}: {_what(step, uses, plan)}\n   {_where(step, plan)}"


def draw(plan: Plan) -> str:
    """The DAG as lines of text, from left to right; steps that run side by side stand below each other."""
    columns = [[step.name for step in level] for level in plan.levels]
    lines = [""] * max(len(column) for column in columns)
    before = 0
    for column in columns:
        width = max(len(name) for name in column)
        for row in range(len(lines)):
            name = column[row] if row < len(column) else ""
            rule = "─" if name and len(column) > 1 else " "
            lines[row] += _joint(row, before, len(column)) + (name + " ").ljust(width + 1, rule)
        before = len(column)
    return "\n".join(line.rstrip() for line in lines)


def mermaid(plan: Plan) -> str:
    """The DAG as a Mermaid flowchart (https://mermaid.js.org), which Git hosts draw in Markdown."""
    numbers = {step.name: f"s{number}" for number, step in enumerate(plan.steps)}
    nodes = [f'    {numbers[step.name]}["{step.name}{_gpu_suffix(step)}"]' for step in plan.steps]
    arrows = [f"    {numbers[need]} --> {numbers[step.name]}" for step in plan.steps for need in step.needs]
    return "\n".join(["flowchart LR", *nodes, *arrows]) + "\n"


def as_data(plan: Plan) -> dict[str, Any]:
    """The plan as plain data for a program, by the names of `plan.model`; the profile aside, each step with its kind."""
    own = asdict(plan)
    del own["profile"]
    return {**own, "steps": [{"kind": step.kind, **asdict(step)} for step in plan.steps]}


def duration(seconds: int) -> str:
    """Seconds as people say them: `30 min`, `1 h 30 min`, `3 d`."""
    parts = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def _joint(row: int, before: int, after: int) -> str:
    """The five characters between two columns of `before` and `after` steps; the wider one decides where lines meet."""
    rows = max(before, after)
    if before == 0:
        return ""
    if row >= rows:
        return "    "
    if rows == 1:
        return "─── "
    corner = "┬" if row == 0 else "┘" if before > after else "└"
    if 0 < row < rows - 1:
        corner = "┤" if before > after else "├"
    left = "─" if row == 0 or before > after else " "
    right = "─" if row == 0 or after > before else " "
    return f"{left}{corner}{right} "


def _gpu_suffix(step: Step) -> str:
    return f" ({step.limits.gpus} GPU)" if step.limits.gpus else ""


def _what(step: Step, uses: dict[str, ConnectionUse], plan: Plan) -> str:
    match step.spec:
        case CheckoutSpec(connection, reference):
            return (
                f"clone {_source(uses[connection])}, {reference or 'the reference it names, else its default branch'}"
            )
        case DownloadSpec(connection, local_path, remote_path):
            source = f"{remote_path} of {_source(uses[connection])}" if remote_path else _source(uses[connection])
            return f"copy {source} to {local_path}"
        case TrainSpec() as spec:
            given = ", ".join(f"{name}={_shown(value)}" for name, value in spec.hyper_parameters.items())
            program = "of the MLflow project"
            if spec.trainer not in BUILT_IN_TOOLCHAINS:
                program = f"by the toolchain {spec.trainer}, which the image must bring,"
            return f"run {spec.entry_point} {program} in {spec.work_dir}, {given or 'no parameters'}"
        case PackageSpec(connection=connection):
            return f"zip the model as {plan.artifact_name_preview} and upload it to {_source(uses[connection])}"


def _source(use: ConnectionUse) -> str:
    return f"connection {use.id} (on the cluster)" if use.external else f"connection {use.id} ({use.uri})"


def _shown(value: str) -> str:
    """A value on one line; quoted where it could be misread, and cut where it is long."""
    quoted = value if value.isprintable() and value and " " not in value and "," not in value else json.dumps(value)
    return quoted if len(quoted) <= 60 else quoted[:57] + "..."


def _where(step: Step, plan: Plan) -> str:
    gpus = f", {step.limits.gpus} x {plan.profile.pools.gpu.resource_name}" if step.limits.gpus else ""
    pending = f", waits at most {duration(step.pending_timeout)} for a node" if step.pending_timeout else ""
    return (
        f"on the {step.placement.pool} pool with {_amounts(step.requests)} (at most {_amounts(step.limits)}){gpus}, "
        f"image {step.image}, at most {duration(step.timeout)}{pending}"
    )


def _amounts(amounts: Amounts) -> str:
    return f"{amounts.cpu or 'any'} CPU and {amounts.memory or 'any'} memory"


def _operation(plan: Plan) -> Iterator[str]:
    profile = plan.profile
    secrets = ", ".join(naming.connection_secret(use.id) for use in plan.connections)
    yield f"Workspace: a volume of {profile.workspace.size}, removed after success, kept after a failure."
    retries = f"{profile.retries.transfer} times (train: {profile.retries.train})"
    yield f"Tried again: after a fault of a node or server, {retries}; after a mistake, never."
    if _trainer(plan) in BUILT_IN_TOOLCHAINS:
        yield f"MLflow's records: {_TRACKING[plan.tracking]}."
    yield f"Logs: kept {duration(quantity.seconds(profile.keep.pods))} with the pods{_archive(plan)}."
    if plan.schedule:
        yield f"Schedule: {plan.schedule}, by the CronWorkflow that `odahu-argo render` writes."
    yield f"On the cluster there must be: the Secrets {secrets}; the service account {profile.service_account}."


def _trainer(plan: Plan) -> str:
    return next(step.spec.trainer for step in plan.steps if isinstance(step.spec, TrainSpec))


def _archive(plan: Plan) -> str:
    return (
        ", and in Argo's artifact repository (archive_logs), which must be set up" if plan.profile.archive_logs else ""
    )
