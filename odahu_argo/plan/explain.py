"""A plan in plain words, as a text drawing, as a Mermaid chart, and as data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from odahu_argo import naming, quantity
from odahu_argo.contract import ARCHIVES, CheckoutSpec, DownloadSpec, PackageSpec, TrainSpec
from odahu_argo.manifest.resolve import BUILT_IN_TOOLCHAINS
from odahu_argo.plan.model import Amounts, ConnectionUse, Plan, PlannedStep

_TRACKING = {
    "training": "the tracking server from the training's environment",
    "server": "the profile's tracking server",
    "workspace": "the workspace, deleted after success (set tracking.uri in the profile to keep the records)",
}
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def explain(plan: Plan) -> str:
    """Return the plan as text: a drawing, a sentence for each step, and the requirements on the cluster."""
    sections = [
        f"Training {plan.training_id}: model {plan.model_name}, version {plan.model_version}, toolchain {plan.toolchain}",
        draw(plan),
        "\n".join(f"{number}. {text}" for number, text in enumerate(_step_texts(plan), start=1)),
        "\n".join(_operation_texts(plan)),
    ]
    return "\n\n".join(sections) + "\n"


def draw(plan: Plan) -> str:
    """Return the DAG as lines of text, from left to right. Parallel steps are below each other."""
    columns = [[step.name for step in level] for level in plan.levels]
    lines = [""] * max(len(column) for column in columns)
    before = 0
    for column in columns:
        width = max(len(name) for name in column)
        for row in range(len(lines)):
            name = column[row] if row < len(column) else ""
            fill = "─" if name and len(column) > 1 else " "
            lines[row] += _joint(row, before, len(column)) + (name + " ").ljust(width + 1, fill)
        before = len(column)
    return "\n".join(line.rstrip() for line in lines)


def mermaid(plan: Plan) -> str:
    """Return the DAG as a Mermaid flowchart (https://mermaid.js.org), which Git hosts render in Markdown."""
    nodes = {step.name: f"s{number}" for number, step in enumerate(plan.steps)}
    boxes = [f'    {nodes[step.name]}["{step.name}{_gpu_suffix(step)}"]' for step in plan.steps]
    arrows = [f"    {nodes[need]} --> {nodes[step.name]}" for step in plan.steps for need in step.needs]
    return "\n".join(["flowchart LR", *boxes, *arrows]) + "\n"


def as_data(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain data with the field names of `plan.model`, without the profile, and the kind of each step."""
    data = asdict(plan)
    del data["profile"]
    return {**data, "steps": [{"kind": step.kind, **asdict(step)} for step in plan.steps]}


def duration(seconds: int) -> str:
    """Return a readable duration, such as `30 min`, `1 h 30 min` or `3 d`."""
    parts = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def _joint(row: int, before: int, after: int) -> str:
    """Return the five characters between columns of `before` and `after` steps; the wider column determines the lines."""
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


def _gpu_suffix(step: PlannedStep) -> str:
    return f" ({step.limits.gpus} GPU)" if step.limits.gpus else ""


def _step_texts(plan: Plan) -> Iterator[str]:
    """Yield the action and the nodes of each step, in the order of the plan."""
    connections = {use.id: use for use in plan.connections}
    for step in plan.steps:
        yield f"{step.name}: {_action(step, connections, plan)}\n   {_placement(step, plan)}"


def _action(step: PlannedStep, connections: dict[str, ConnectionUse], plan: Plan) -> str:
    match step.spec:
        case CheckoutSpec(connection, reference):
            revision = reference or "the connection's reference or the default branch"
            return f"clone {_describe_connection(connections[connection])}, {revision}"
        case DownloadSpec(connection, local_path, remote_path):
            source = _describe_connection(connections[connection])
            return f"copy {f'{remote_path} of {source}' if remote_path else source} to {local_path}"
        case TrainSpec() as spec:
            parameters = ", ".join(f"{name}={_format_value(value)}" for name, value in spec.hyper_parameters.items())
            program = "of the MLflow project"
            if "/" in spec.trainer:
                return f"run {spec.trainer} of the image with ODAHU's protocol, {parameters or 'no parameters'}"
            if spec.trainer not in BUILT_IN_TOOLCHAINS:
                program = f"with the image's toolchain {spec.trainer}"
            return f"run {spec.entry_point} {program} in {spec.work_dir}, {parameters or 'no parameters'}"
        case PackageSpec(connection=connection, artifact_format=form):
            target = _describe_connection(connections[connection])
            return f"upload the model as {plan.artifact_name_preview}, {ARCHIVES[form]}, to {target}"


def _describe_connection(use: ConnectionUse) -> str:
    return f"connection {use.id} (on the cluster)" if use.external else f"connection {use.id} ({use.uri})"


def _format_value(value: str) -> str:
    """Return a value on one line, quoted if ambiguous and truncated if long."""
    is_plain = value.isprintable() and value and " " not in value and "," not in value
    text = value if is_plain else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _placement(step: PlannedStep, plan: Plan) -> str:
    gpus = f", {step.limits.gpus} x {step.placement.gpu_resource}" if step.limits.gpus else ""
    pending = f", waits at most {duration(step.pending_timeout)} for a node" if step.pending_timeout else ""
    prepared = f", prepared by an init container of {step.preparation.image}" if step.preparation else ""
    return (
        f"on {_describe_pools(step)} with {_format_amounts(step.requests)} "
        f"(limit: {_format_amounts(step.limits)}){gpus}, image {step.image}{prepared}, "
        f"time limit {duration(step.timeout)}{pending}{_describe_queue(step)}"
    )


def _describe_queue(step: PlannedStep) -> str:
    """Return a line about the queue; empty if the step has none."""
    if step.queueing is None:
        return ""
    priority = f" with priority class {step.queueing.priority}" if step.queueing.priority else ""
    limit = f"for at most {duration(step.queueing.timeout)}" if step.queueing.timeout else "without a limit"
    wait = "; the wait for a node starts afterwards" if step.pending_timeout else ""
    return f"\n   in Kueue's queue {step.queueing.queue}{priority}, waits there {limit}{wait}"


def _describe_pools(step: PlannedStep) -> str:
    """Return `the gpu pool`, `the gpu pool a100`, or `one of the gpu pools a100, v100`."""
    kind, names = step.placement.pool, ", ".join(step.placement.names)
    if len(step.placement.names) > 1 or len(step.placement.selectors) > 1:
        return f"one of the {kind} pools {names}".rstrip()
    return f"the {kind} pool {names}".rstrip()


def _format_amounts(amounts: Amounts) -> str:
    return f"{amounts.cpu or 'any'} CPU and {amounts.memory or 'any'} memory"


def _operation_texts(plan: Plan) -> Iterator[str]:
    """Yield workspace, retries, tracking, logs, schedule and requirements of the plan."""
    profile = plan.profile
    yield f"Workspace: a volume of {profile.workspace.size}, deleted after success, kept after a failure."
    retries = f"at most {profile.retries.transfer} (train: {profile.retries.train})"
    yield f"Retries: {retries} after a fault of a node or server; none after a user error."
    trainer = next(step.spec.trainer for step in plan.steps if isinstance(step.spec, TrainSpec))
    if trainer in BUILT_IN_TOOLCHAINS:
        yield f"MLflow tracking: {_TRACKING[plan.tracking]}."
    archive = ", and in Argo's artifact repository (archive_logs), which must exist" if profile.archive_logs else ""
    yield f"Logs: kept {duration(quantity.seconds(profile.keep.pods))} with the pods{archive}."
    if plan.schedule:
        yield f"Schedule: {plan.schedule}, run by the CronWorkflow that odahu-argo render creates."
    secrets = ", ".join(naming.connection_secret(use.id) for use in plan.connections)
    yield f"Required on the cluster: the Secrets {secrets}; the service account {profile.service_account}."
