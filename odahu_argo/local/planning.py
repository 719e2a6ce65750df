"""The plan of a local run: what it takes from connections, and whether it trains a working copy in place.

As `odahuflowctl local train run`, a run in place uses the current directory as the repository, without checkout, and needs no
connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from odahu_argo.contract import CheckoutSpec
from odahu_argo.errors import Problem, UserError
from odahu_argo.local.working_copy import has_uncommitted_changes, root_of
from odahu_argo.manifest.load import LoadedManifest, Manifests
from odahu_argo.manifest.models import Connection, ModelTraining
from odahu_argo.manifest.resolve import Needs
from odahu_argo.plan.build import plan_trainings
from odahu_argo.plan.model import Plan
from odahu_argo.profile import Profile


@dataclass(frozen=True, slots=True)
class LocalPlan:
    """A plan with the connections that it uses. `directory` is the working copy of a run in place, else None."""

    plan: Plan
    connections: Mapping[str, Connection]
    directory: Path | None
    warnings: tuple[Problem, ...] = ()


def plan_local(
    manifests: Manifests,
    profile: Profile,
    training_id: str | None,
    current: Path,
    is_here: bool = False,
    has_output_dir: bool = False,
) -> LocalPlan:
    """Plan the only training in the manifests, or the one with ID `training_id`.

    A training without a source runs in the directory `current`, and any training with `is_here`. The output connection is
    used if it is in the manifests, unless the run is in place or `has_output_dir`.

    Raises:
        UserError: there is no such training or more than one, or it has problems. Reports all of them.
    """
    loaded = _select(manifests, training_id)
    if loaded is None:
        plan_trainings(manifests, profile, training_id)
        raise AssertionError("planning reports a missing training")
    plan_in_place = partial(_plan_in_place, loaded, manifests, profile, training_id, current)
    if is_here or not loaded.manifest.spec.code.connection:
        return plan_in_place()
    has_output = not has_output_dir and _has_output(loaded.manifest, manifests, profile)
    try:
        [plan] = plan_trainings(manifests, profile, training_id, Needs(output=has_output))
    except UserError as error:
        work_dir = current / loaded.manifest.spec.work_dir
        raise UserError([*error.problems, *_in_place_hint(plan_in_place, current, work_dir)]) from error
    return LocalPlan(plan, _used_connections(plan, manifests), None, _uncommitted_changes(plan, current))


def _plan_in_place(
    loaded: LoadedManifest[ModelTraining],
    manifests: Manifests,
    profile: Profile,
    training_id: str | None,
    directory: Path,
) -> LocalPlan:
    needs = Needs(source=False, data=_data_to_download(loaded, manifests, directory), output=False)
    [plan] = plan_trainings(manifests, profile, training_id, needs)
    _require_work_dir(loaded, directory)
    return LocalPlan(plan, _used_connections(plan, manifests), directory, _missing_data(loaded, needs, directory))


def _in_place_hint(plan_in_place: Callable[[], LocalPlan], directory: Path, work_dir: Path) -> Iterator[Problem]:
    """Yield a problem that names `--here`, if the directory is in a working copy or has the project."""
    if root_of(directory) is None and not (work_dir / "MLproject").is_file():
        return
    with suppress(UserError):
        plan_in_place()
        message = f"a run of the working copy in {directory} needs none of the above"
        yield Problem(message, hint="add --here to train it in place")


def _used_connections(plan: Plan, manifests: Manifests) -> dict[str, Connection]:
    valid = {connection.manifest.id: connection.manifest for connection in manifests.connections}
    return {use.id: valid[use.id] for use in plan.connections if use.id in valid}


def _select(manifests: Manifests, training_id: str | None) -> LoadedManifest[ModelTraining] | None:
    """Return the selected training. None if it does not exist, which planning reports."""
    every = [*manifests.trainings, *manifests.invalid_trainings]
    if training_id is None and len(every) > 1:
        ids = ", ".join(loaded.manifest.id for loaded in every)
        raise UserError(f"the manifests contain {len(every)} trainings", hint=f"select one with --id: {ids}")
    return next((loaded for loaded in every if training_id in (None, loaded.manifest.id)), None)


def _data_to_download(loaded: LoadedManifest[ModelTraining], manifests: Manifests, directory: Path) -> frozenset[int]:
    """Return the indexes of data that does not exist in the directory, and whose connection is in the manifests."""
    valid = {connection.manifest.id for connection in manifests.connections}
    return frozenset(
        index
        for index, binding in enumerate(loaded.manifest.spec.data)
        if binding.source in valid and not _exists(directory, binding.local_path)
    )


def _exists(directory: Path, local_path: str) -> bool:
    """Return whether the data is there: a file, or a directory that is not empty. What cannot be read counts as data."""
    path = directory / local_path
    try:
        return any(path.iterdir()) if path.is_dir() else path.exists()
    except OSError:
        return True


def _has_output(training: ModelTraining, manifests: Manifests, profile: Profile) -> bool:
    name = training.spec.output_connection or profile.output_connection
    loaded = {connection.manifest.id for connection in manifests.connections}
    return name in loaded or ("Connection", name) in manifests.invalid


def _require_work_dir(loaded: LoadedManifest[ModelTraining], directory: Path) -> None:
    work_dir = loaded.manifest.spec.work_dir
    if (directory / work_dir).is_dir():
        return
    root = root_of(directory)
    hint = "run the command in the directory that workDir is relative to"
    if root is not None and root != directory and (root / work_dir).is_dir():
        hint = f"run the command in the root of the repository: {root}"
    location = loaded.document.location(("spec", "workDir"))
    raise UserError(Problem(f"{work_dir!r} does not exist in the current directory {directory}", location, hint))


def _missing_data(loaded: LoadedManifest[ModelTraining], needs: Needs, directory: Path) -> tuple[Problem, ...]:
    """Return a warning for data that neither exists nor is downloaded."""
    return tuple(
        Problem(
            f"{binding.local_path!r} does not exist in {directory}, and the files contain no valid connection"
            f" {binding.source!r} to download it",
            loaded.document.location(("spec", "data", index, "localPath")),
            "copy the data there, or pass the manifest of the connection with -f",
        )
        for index, binding in enumerate(loaded.manifest.spec.data)
        if index not in (needs.data or ()) and not _exists(directory, binding.local_path)
    )


def _uncommitted_changes(plan: Plan, directory: Path) -> tuple[Problem, ...]:
    """Return a warning if the repository to clone has a working copy here whose changes the clone does not contain."""
    sources = {step.connection for step in plan.steps if isinstance(step.spec, CheckoutSpec)}
    uris = [use.uri for use in plan.connections if use.id in sources and use.uri]
    if not any(has_uncommitted_changes(directory, uri) for uri in uris):
        return ()
    message = "the working copy in this directory has uncommitted changes; this run clones the repository without them"
    return (Problem(message, hint="add --here to train the working copy in place"),)
