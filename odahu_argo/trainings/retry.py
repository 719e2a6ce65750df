"""Further attempts of failed trainings: the current settings, the existing workspace, and no finished step."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from odahu_argo import contract, naming, quantity
from odahu_argo.compile.differences import Difference
from odahu_argo.compile.retry import changes, earlier_image, earlier_specs, retry_workflow, workspace_claim
from odahu_argo.contract import CheckoutSpec, DownloadSpec, PackageSpec, StepSpec, TrainSpec, spec_digest
from odahu_argo.errors import NotFound, UserError
from odahu_argo.kube.cluster import PERSISTENT_VOLUME_CLAIM, WORKFLOW, Cluster, Kind, Object
from odahu_argo.manifest.load import load_text
from odahu_argo.manifest.resolve import BUILT_IN_TOOLCHAINS
from odahu_argo.plan.model import Amounts, Plan
from odahu_argo.profile import Profile
from odahu_argo.resources.toolchains import registered_toolchains
from odahu_argo.status.model import StepStatus
from odahu_argo.trainings.model import Training
from odahu_argo.trainings.submit import SubmittedWorkflow, plan_for_cluster, submit


@dataclass(frozen=True, slots=True)
class RetriedTraining:
    """Submitted retry: the differences to the earlier attempt, and the finished steps, which are not repeated."""

    workflow: SubmittedWorkflow
    changes: tuple[Difference, ...]
    finished: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrainingResources:
    """CPU and memory limits that replace those of the step train. None keeps the limit."""

    cpu: str | None = None
    memory: str | None = None


def retry_training(
    cluster: Cluster,
    training: Training,
    profile: Profile,
    plan: Plan | None = None,
    resources: TrainingResources | None = None,
) -> RetriedTraining:
    """Start a new attempt of a failed training in its workspace, without the steps that have finished.

    Settings come from the profile. Without a plan, the training itself is unchanged. With one, a step with a changed
    specification and the steps that depend on it run again.

    Raises:
        UserError: The training has not failed, its Workflow or workspace was deleted, or a finished download has changed.
        ServiceFault: The API cannot be reached.
    """
    newest = training.newest
    if newest.status.state != "failed":
        raise UserError(
            f"training {training.id!r} has not failed: its state is {newest.status.state}",
            hint="odahu-argo train edit -f FILE starts a new run in any state",
        )
    earlier = _require(cluster, WORKFLOW, newest.workflow, training.id)
    workspace = _require(cluster, PERSISTENT_VOLUME_CLAIM, workspace_claim(earlier), training.id)
    if plan is None:
        plan = _plan_again(cluster, training, earlier, profile)
        finished = _finished_steps(training)
    else:
        before, specs = _finished_steps(training), _specs_of_attempts(cluster, training)
        finished = _unchanged_steps(plan, before, specs)
        _require_no_mixed_data(plan, before, finished, specs)
    if resources and (resources.cpu or resources.memory):
        if "train" in finished:
            raise UserError("the step train has finished, so its CPU and memory do not matter", "omit the options")
        plan = _with_resources(plan, resources)
    results = _results(training, finished)
    workflow = retry_workflow(plan, newest.number + 1, workspace_claim(earlier), finished, results)
    submitted = submit(cluster, workflow)
    _add_owner(cluster, workspace, submitted)
    in_order = tuple(step.name for step in plan.steps if step.name in finished)
    return RetriedTraining(submitted, tuple(changes(earlier, workflow)), in_order)


def _finished_steps(training: Training) -> frozenset[str]:
    """Return the steps that finished in any resumed attempt, also if Argo reports an error or a stop."""
    return frozenset(step.name for step in training.steps if _has_finished(step, training))


def _has_finished(step: StepStatus, training: Training) -> bool:
    """Return whether a pod of the step finished. Without the run ID of a training, the step has to report it again."""
    if step.name == "train" and not training.status.artifacts.run_id:
        return step.state == "succeeded"
    return step.state == "succeeded" or any(run.state == "succeeded" or run.exit_code == 0 for run in step.runs)


def _plan_again(cluster: Cluster, training: Training, earlier: Object, profile: Profile) -> Plan:
    """Return the plan of the earlier attempt with the settings of the profile."""
    annotations = earlier["metadata"].get("annotations") or {}
    if naming.DIGEST_ANNOTATION not in annotations or naming.SPEC_ANNOTATION not in annotations:
        raise UserError(
            f"cannot retry workflow {earlier['metadata']['name']!r}: it was not compiled by odahu-argo",
            hint="pass the training's manifests: odahu-argo train retry -f FILE",
        )
    specs = earlier_specs(earlier)
    defaults = annotations.get(naming.DEFAULTS_ANNOTATION, "").split(",")
    spec = {name: value for name, value in training.newest.spec.items() if name not in defaults}
    manifests = [{"kind": "ModelTraining", "id": training.id, "spec": spec}]
    manifests += _missing_toolchain(cluster, str(spec.get("toolchain", "")), specs, earlier)
    text = "\n---\n".join(map(json.dumps, manifests))
    source = f"workflow {earlier['metadata']['name']}"
    [plan] = plan_for_cluster(cluster, load_text(text, source), profile, training.id)
    steps = tuple(
        replace(step, spec=_earlier_spec(specs[step.name], step.spec)) if step.name in specs else step
        for step in plan.steps
    )
    return replace(plan, steps=steps)


def _missing_toolchain(
    cluster: Cluster, name: str, specs: Mapping[str, StepSpec], earlier: Object
) -> list[dict[str, Any]]:
    """Return the manifest of the earlier attempt's toolchain if it is neither on the cluster nor built in."""
    train = specs.get("train")
    if name in BUILT_IN_TOOLCHAINS or not isinstance(train, TrainSpec):
        return []
    if any(toolchain.id == name for toolchain in registered_toolchains(cluster, {name})):
        return []
    spec = {"entrypoint": train.trainer, "defaultImage": earlier_image(earlier, "train")}
    return [{"kind": "ToolchainIntegration", "id": name, "spec": spec}]


def _earlier_spec(earlier: StepSpec, planned: StepSpec) -> StepSpec:
    """Return the earlier specification of a step with the settings that come from the profile."""
    if isinstance(earlier, TrainSpec) and isinstance(planned, TrainSpec):
        return replace(
            earlier,
            environment_manager=planned.environment_manager,
            strict_environment=planned.strict_environment,
        )
    if isinstance(earlier, PackageSpec) and isinstance(planned, PackageSpec):
        return replace(earlier, artifact_format=planned.artifact_format, connection=planned.connection)
    return earlier


def _specs_of_attempts(cluster: Cluster, training: Training) -> dict[str, StepSpec]:
    """Return the specifications of the steps in the resumed attempts, as far as their Workflows exist."""
    specs: dict[str, StepSpec] = {}
    for attempt, _ in training.steps_by_attempt:
        try:
            specs.update(earlier_specs(cluster.get(WORKFLOW, attempt.workflow)))
        except NotFound:
            continue
    return specs


def _unchanged_steps(plan: Plan, finished: Collection[str], specs: Mapping[str, StepSpec]) -> frozenset[str]:
    """Return the finished steps whose specification, and that of all steps before them, is the same in the plan."""
    unchanged: set[str] = set()
    for step in plan.steps:
        is_same = step.name in specs and _is_same_spec(specs[step.name], step.spec)
        if step.name in finished and is_same and unchanged.issuperset(step.needs):
            unchanged.add(step.name)
    return frozenset(unchanged)


def _require_no_mixed_data(
    plan: Plan, finished: Collection[str], unchanged: Collection[str], specs: Mapping[str, StepSpec]
) -> None:
    """Check that no changed download would add to its earlier files. A new checkout removes these."""
    for step in plan.steps:
        is_cleared = "checkout" not in unchanged and not (isinstance(step.spec, DownloadSpec) and step.spec.is_code)
        is_changed = step.name in finished and step.name in specs and not _is_same_spec(specs[step.name], step.spec)
        if isinstance(step.spec, DownloadSpec) and is_changed and not is_cleared:
            raise UserError(
                f"cannot retry training {plan.training_id!r}: step {step.name} has downloaded files that have changed since",
                hint="odahu-argo train edit -f FILE starts a new run with an empty workspace",
            )


def _is_same_spec(earlier: StepSpec, planned: StepSpec) -> bool:
    """Compare specifications. An empty reference means that of the connection, which a plan may contain or not."""
    if isinstance(earlier, CheckoutSpec) and isinstance(planned, CheckoutSpec):
        is_same_reference = earlier.reference == planned.reference or not (earlier.reference and planned.reference)
        return earlier.connection == planned.connection and is_same_reference
    return spec_digest(earlier) == spec_digest(planned)


def _with_resources(plan: Plan, resources: TrainingResources) -> Plan:
    """Return the plan with other limits of the step train. A request follows if it was equal or would exceed the limit."""
    train = plan.step("train")
    cpu, cpu_request = _new_amounts(resources.cpu, train.limits.cpu, train.requests.cpu)
    memory, memory_request = _new_amounts(resources.memory, train.limits.memory, train.requests.memory)
    limits = replace(train.limits, cpu=cpu, memory=memory)
    requests = replace(train.requests, cpu=cpu_request, memory=memory_request)
    steps = tuple(replace(step, limits=limits, requests=requests) if step is train else step for step in plan.steps)
    given: Mapping[str, Any] = plan.spec.get("resources") or {}
    shown = {**given, "limits": _merged(given, "limits", limits), "requests": _merged(given, "requests", requests)}
    defaults = tuple(name for name in plan.defaults if name != "resources")
    return replace(plan, steps=steps, spec={**plan.spec, "resources": shown}, defaults=defaults)


def _new_amounts(new: str | None, limit: str, request: str) -> tuple[str, str]:
    if new is None:
        return limit, request
    is_following = request == limit or quantity.amount(request or "0") > quantity.amount(new)
    return new, new if is_following else request


def _merged(given: Mapping[str, Any], kind: str, amounts: Amounts) -> dict[str, str]:
    values = {"cpu": amounts.cpu, "memory": amounts.memory}
    return {**(given.get(kind) or {}), **{name: value for name, value in values.items() if value}}


def _results(training: Training, finished: Collection[str]) -> dict[str, str]:
    """Return the results of the finished steps by the names of the step contract."""
    artifacts = training.status.artifacts
    results = {
        contract.COMMIT_ID: artifacts.commit_id if "checkout" in finished else "",
        contract.RUN_ID: artifacts.run_id if "train" in finished else "",
    }
    return {name: value for name, value in results.items() if value}


def _require(cluster: Cluster, kind: Kind, name: str, training_id: str) -> Object:
    try:
        return cluster.get(kind, name)
    except NotFound as error:
        raise UserError(
            f"cannot retry training {training_id!r}: its {kind.name} {name!r} was deleted",
            hint="odahu-argo train edit -f FILE starts a new run from the beginning",
        ) from error


def _add_owner(cluster: Cluster, claim: Object, submitted: SubmittedWorkflow) -> None:
    """Add the new Workflow to the owners of the claim, so that the claim is deleted with the last Workflow that uses it."""
    owner = {"apiVersion": WORKFLOW.api_version, "kind": WORKFLOW.name, "name": submitted.name, "uid": submitted.uid}
    owners = [found for found in claim["metadata"].get("ownerReferences", []) if found.get("uid") != submitted.uid]
    for found in owners:
        found.pop("controller", None)
    cluster.patch(
        PERSISTENT_VOLUME_CLAIM, claim["metadata"]["name"], {"metadata": {"ownerReferences": [*owners, owner]}}
    )
