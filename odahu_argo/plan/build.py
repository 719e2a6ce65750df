"""Construction of plans from resolved trainings. Applies the rules and defaults of ODAHU-flow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from odahu_argo import artifact_name, contract, naming, quantity
from odahu_argo.contract import CheckoutSpec, DownloadSpec, PackageSpec, StepSpec, TrainSpec
from odahu_argo.errors import Problem, UserError
from odahu_argo.manifest.load import Manifests
from odahu_argo.manifest.models import ModelTrainingSpec, ObjectStorage
from odahu_argo.manifest.resolve import (
    BUILT_IN_TOOLCHAINS,
    EVERYTHING,
    Needs,
    ResolvedTraining,
    resolve_with_problems,
)
from odahu_argo.plan import resources, rules
from odahu_argo.plan.model import ConnectionUse, Plan, PlannedStep, Preparation, Queueing, RetryPolicy, Schedule
from odahu_argo.plan.odahu_trainer import trainer_manifest
from odahu_argo.pools import UNLIMITED, GpuPool, Pool
from odahu_argo.profile import Profile
from odahu_argo.uri import without_credentials
from odahu_argo.validation import exclude_reported


def plan_trainings(
    manifests: Manifests, profile: Profile, training_id: str | None = None, needs: Needs = EVERYTHING
) -> list[Plan]:
    """Return a plan for each training in the manifests, or for the one with ID `training_id`.

    Strict manifests imply the profile's `strict_environment`.

    Raises:
        UserError: all problems of the trainings, of the manifests that they use, and of their references at once.
    """
    if manifests.is_strict:
        profile = profile.model_copy(update={"strict_environment": True})
    resolved, problems = resolve_with_problems(manifests, profile, training_id, needs)
    return build_plans(resolved, profile, problems)


def build_plans(
    trainings: Iterable[ResolvedTraining], profile: Profile, earlier_problems: Iterable[Problem] = ()
) -> list[Plan]:
    """Return a plan for each training.

    Raises:
        UserError: `earlier_problems` and all problems of all trainings, if there are any.
    """
    trainings, problems = list(trainings), list(earlier_problems)
    for training in trainings:
        problems += exclude_reported(rules.check(training, profile), training.reported)
    if problems:
        raise UserError(_sorted_by_location(problems))
    return [build_plan(training, profile) for training in trainings]


def _sorted_by_location(problems: list[Problem]) -> list[Problem]:
    """Sort problems by file, in order of first occurrence, and by line."""
    files = list(dict.fromkeys(problem.location.file for problem in problems))
    return sorted(problems, key=lambda problem: (files.index(problem.location.file), problem.location.line or 0))


def build_plan(resolved: ResolvedTraining, profile: Profile) -> Plan:
    """Return the plan of one training. The training must have passed `rules.check`."""
    spec = resolved.training.spec
    checkout = [_checkout(resolved, profile)] if resolved.needs.source else []
    downloads = _downloads(resolved, profile, needs=tuple(step.name for step in checkout))
    train = _train(resolved, profile, needs=tuple(step.name for step in downloads or checkout))
    package = _package(resolved, profile)
    return Plan(
        training_id=resolved.training.id,
        model_name=spec.model.name,
        model_version=spec.model.version,
        toolchain=resolved.toolchain.id,
        artifact_name_preview=artifact_name.preview(
            spec.model.artifact_name_template, spec.model.name, spec.model.version
        ),
        steps=(*checkout, *downloads, train, package),
        connections=tuple(
            ConnectionUse(name, external=False, type=connection.spec.type, uri=without_credentials(connection.spec.uri))
            if connection
            else ConnectionUse(name, external=True)
            for name, connection in resolved.connections.items()
        ),
        profile=profile,
        spec=_spec_with_defaults(resolved, profile),
        schedule=schedule_of(spec),
        defaults=_defaults(spec),
    )


def schedule_of(spec: ModelTrainingSpec) -> Schedule | None:
    """Return the schedule of a training, or None if its spec has none."""
    return Schedule(spec.schedules, spec.timezone or "UTC") if spec.schedules else None


def _spec_with_defaults(resolved: ResolvedTraining, profile: Profile) -> dict[str, Any]:
    """Return the training's spec as ODAHU's API shows it: the fields of the manifest, and ODAHU's defaults.

    Source: odahu-flow 1.6, packages/operator/pkg/apiserver/routes/v1/training/model_training_validation.go
    """
    spec = resolved.training.spec
    fields = spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    fields["model"].setdefault("artifactNameTemplate", spec.model.artifact_name_template)
    defaults = {
        "workDir": spec.work_dir,
        "outputConnection": resolved.output_connection,
        "image": _training_image(resolved, profile),
        "resources": profile.training_resources.model_dump(mode="json", exclude_none=True),
    }
    connection = resolved.connections.get(spec.code.connection or "")
    fields |= {name: value for name, value in defaults.items() if not fields.get(name)}
    return with_reference(fields, connection.spec.reference if connection else "")


def _defaults(spec: ModelTrainingSpec) -> tuple[str, ...]:
    """Return the fields of the spec with ODAHU's defaults that the training itself does not set."""
    own = {
        "image": spec.image,
        "outputConnection": spec.output_connection,
        "resources": spec.resources.model_fields_set,
    }
    return tuple(name for name, value in own.items() if not value)


def with_reference(spec: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """Return the spec of a training with the git reference of its connection, if it has a git connection and no reference."""
    fields = dict(spec)
    vcs = fields.get("algorithmSource", {}).get("vcs", {})
    if not reference:
        return fields
    if fields.get("vcsName") and not fields.get("reference"):
        fields["reference"] = reference
    elif vcs.get("connection") and not vcs.get("reference"):
        fields["algorithmSource"] = {**fields["algorithmSource"], "vcs": {**vcs, "reference": reference}}
    return fields


def _checkout(resolved: ResolvedTraining, profile: Profile) -> PlannedStep:
    """Return the step that fetches the code, from git or from an object store."""
    code = resolved.training.spec.code
    name = code.connection or ""
    results: tuple[str, ...] = ()
    if isinstance(code, ObjectStorage):
        step: StepSpec = DownloadSpec(name, "./", code.path, is_code=True)
    else:
        connection = resolved.connections[name]
        step = CheckoutSpec(name, code.reference or (connection.spec.reference if connection else ""))
        results = (contract.COMMIT_ID,)
    return _transfer_step("checkout", step, (), resolved, profile, profile.timeouts.checkout, results)


def _downloads(resolved: ResolvedTraining, profile: Profile, needs: tuple[str, ...]) -> list[PlannedStep]:
    needed = resolved.needs.data
    bindings = resolved.training.spec.data
    names = naming.download_steps([binding.source for binding in bindings])
    return [
        _transfer_step(
            name,
            DownloadSpec(binding.source, binding.local_path, binding.remote_path),
            needs,
            resolved,
            profile,
            profile.timeouts.download,
        )
        for index, (name, binding) in enumerate(zip(names, bindings, strict=True))
        if needed is None or index in needed
    ]


def _train(resolved: ResolvedTraining, profile: Profile, needs: tuple[str, ...]) -> PlannedStep:
    spec = resolved.training.spec
    limits, requests = resources.amounts(spec.resources, profile.training_resources)
    trainer = _trainer(resolved)
    is_program = rules.is_program(trainer)
    pools = resources.select_pools(profile.pools, limits.gpus > 0, spec.node_selector)
    return PlannedStep(
        name="train",
        spec=TrainSpec(
            training_id=resolved.training.id,
            model_name=spec.model.name,
            model_version=spec.model.version,
            work_dir=spec.work_dir,
            entry_point=spec.entrypoint,
            hyper_parameters=dict(spec.hyper_parameters),
            environment=_environment(resolved),
            environment_manager=profile.environment_manager,
            trainer=trainer,
            strict_environment=profile.strict_environment,
            manifest=trainer_manifest(resolved, _spec_with_defaults(resolved, profile)) if is_program else {},
        ),
        needs=needs,
        image=_training_image(resolved, profile),
        limits=limits,
        requests=requests,
        placement=resources.placement(pools),
        retry=_retry_policy(profile, profile.retries.train),
        timeout=quantity.seconds(profile.timeouts.train),
        pending_timeout=_pending_timeout(pools[0]),
        results=() if is_program else (contract.RUN_ID,),
        preparation=_preparation(profile) if is_program or trainer in BUILT_IN_TOOLCHAINS else None,
        queueing=queueing(spec, profile, pools[0]),
    )


def queueing(spec: ModelTrainingSpec, profile: Profile, pool: Pool) -> Queueing | None:
    """Return the queue of a training: its own, else that of its node pool, else that of the profile. None without a queue."""
    queue = spec.queue or pool.queue or profile.queue
    timeout = None if profile.queue_timeout == UNLIMITED else quantity.seconds(profile.queue_timeout)
    return Queueing(queue, spec.priority or pool.priority or profile.priority, timeout) if queue else None


def _retry_policy(profile: Profile, limit: int) -> RetryPolicy:
    return RetryPolicy(int(limit), quantity.seconds(profile.retries.first_wait), int(profile.retries.interrupted))


def _preparation(profile: Profile) -> Preparation:
    limits, requests = resources.amounts(profile.step_resources, profile.step_resources)
    return Preparation(profile.runner_image, limits, requests)


def _package(resolved: ResolvedTraining, profile: Profile) -> PlannedStep:
    """Return the step that uploads the artifact. It runs on the training image if a custom toolchain lays out the files."""
    model = resolved.training.spec.model
    spec = PackageSpec(
        training_id=resolved.training.id,
        model_name=model.name,
        model_version=model.version,
        toolchain=resolved.toolchain.id,
        artifact_name_template=model.artifact_name_template,
        connection=resolved.output_connection,
        environment=_environment(resolved),
        trainer=_trainer(resolved),
        artifact_format=profile.artifact_format,
    )
    is_program = rules.is_program(spec.trainer)
    results = (contract.RUN_ID, contract.ARTIFACT_NAME) if is_program else (contract.ARTIFACT_NAME,)
    step = _transfer_step("package", spec, ("train",), resolved, profile, profile.timeouts.package, results)
    return (
        step
        if is_program or spec.trainer in BUILT_IN_TOOLCHAINS
        else replace(step, image=_training_image(resolved, profile))
    )


def _trainer(resolved: ResolvedTraining) -> str:
    entrypoint = resolved.toolchain.spec.entrypoint
    return rules.trainer_name(entrypoint) or entrypoint


def _training_image(resolved: ResolvedTraining, profile: Profile) -> str:
    return resolved.training.spec.image or resolved.toolchain.spec.default_image or profile.training_image


def _environment(resolved: ResolvedTraining) -> dict[str, str]:
    """Return the environment variables of the toolchain and the training; the training's take precedence."""
    variables = {env.name: env.value for env in resolved.training.spec.envs}
    return {**resolved.toolchain.spec.additional_environments, **variables}


def _transfer_step(
    name: str,
    spec: StepSpec,
    needs: tuple[str, ...],
    resolved: ResolvedTraining,
    profile: Profile,
    timeout: str,
    results: tuple[str, ...] = (),
) -> PlannedStep:
    """Return a step that transfers files: without a GPU, on the runner image, with the retries of transfers."""
    limits, requests = resources.amounts(profile.step_resources, profile.step_resources)
    training = resolved.training.spec
    is_gpu_training = resources.gpu_count(training.resources) > 0
    is_with_training = not is_gpu_training or profile.pools.other_steps == "with_training"
    selector = training.node_selector if is_with_training else {}
    pools = resources.select_pools(profile.pools, is_gpu_training and is_with_training, selector)
    return PlannedStep(
        name=name,
        spec=spec,
        needs=needs,
        image=profile.runner_image,
        limits=limits,
        requests=requests,
        placement=resources.placement(pools),
        retry=_retry_policy(profile, profile.retries.transfer),
        timeout=quantity.seconds(timeout),
        pending_timeout=_pending_timeout(pools[0]),
        results=results,
    )


def _pending_timeout(pool: Pool) -> int | None:
    """Return the limit on the wait for a node of the pool, in seconds. Only GPU pools have one."""
    if not isinstance(pool, GpuPool) or pool.pending_timeout == UNLIMITED:
        return None
    return quantity.seconds(pool.pending_timeout)
