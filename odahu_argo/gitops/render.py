"""A folder brought up to date with the files it should hold: all of them or none, and never one that we did not write."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from odahu_argo.compile import workflow_template
from odahu_argo.compile.emit import to_yaml
from odahu_argo.compile.workflow import Object
from odahu_argo.errors import Problem, ServiceFault, UserError, Where
from odahu_argo.plan.model import Plan

KUSTOMIZATION = "kustomization.yaml"
TEMPLATES, RUNS = "templates", "runs"
FOLDERS = ("", TEMPLATES, RUNS)
"""Those that files are written into, and that are looked through for files that are no longer wanted."""
_SIGNATURE = re.compile(r"# Written by odahu-argo render, sha256:([0-9a-f]{16})\. Change the manifest instead\.")


def rendered(plans: Iterable[Plan]) -> dict[str, str]:
    """Every file by its path with `/`, sorted: the same plans, in any order, give the same bytes.

    Raises:
        UserError: a template would be larger than Argo takes.
    """
    objects: dict[str, list[Object]] = {}
    for plan in plans:
        cron = workflow_template.cron_workflow(plan)
        objects[f"{TEMPLATES}/{plan.training_id}.template.yaml"] = [workflow_template.workflow_template(plan)]
        objects[f"{RUNS}/{plan.training_id}.run.yaml"] = [
            workflow_template.template_run(plan),
            *([cron] if cron else []),
        ]
        for use in plan.connections if plan.profile.external_secrets.store else ():
            objects[f"{TEMPLATES}/{use.id}.secret.yaml"] = [workflow_template.external_secret(plan, use.id)]
    texts = {path: to_yaml(each) for path, each in objects.items()}
    for folder in (TEMPLATES, RUNS):
        names = sorted(path.removeprefix(f"{folder}/") for path in objects if path.startswith(f"{folder}/"))
        texts[f"{folder}/{KUSTOMIZATION}"] = _kustomization(names)
    texts[KUSTOMIZATION] = _kustomization([TEMPLATES, RUNS])
    return {path: signed(texts[path]) for path in sorted(texts)}


def signed(text: str) -> str:
    """The text below the line that says that we wrote it."""
    return f"# Written by odahu-argo render, sha256:{_digest(text)}. Change the manifest instead.\n{text}"


def is_ours(text: str) -> bool:
    """Whether we wrote the file, in whatever version, and whatever was done to it since."""
    return _SIGNATURE.fullmatch(text.partition("\n")[0].rstrip("\r")) is not None


def is_edited(text: str) -> bool:
    """Whether a file of ours holds something else than we wrote. The line breaks of Windows are no edit."""
    first, _, rest = text.replace("\r\n", "\n").partition("\n")
    found = _SIGNATURE.fullmatch(first)
    return found is not None and found[1] != _digest(rest)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _kustomization(resources: Sequence[str]) -> str:
    """A resource a line, so that branches which add trainings merge.

    `fifo` keeps kustomize from putting Workflows before their WorkflowTemplates, which come later by the alphabet.

    https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/sortoptions/
    """
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "sortOptions": {"order": "fifo"},
        "resources": list(resources),
    }
    return to_yaml([kustomization])


Was = Literal["missing", "same", "old", "edited", "foreign"]


@dataclass(frozen=True, slots=True)
class File:
    """One file of the folder, by its path with `/`. `now` is None where it is not there, `wanted` where it should not be.

    `was` says what is there: nothing, the wanted, an older version of ours, one that somebody has edited, or a file that
    is not ours.
    """

    path: str
    now: str | None
    wanted: str | None

    @property
    def was(self) -> Was:
        """What stands where the file should be."""
        if self.now is None:
            return "missing"
        if not is_ours(self.now):
            return "foreign"
        if self.now.replace("\r\n", "\n") == self.wanted:
            return "same"
        return "edited" if is_edited(self.now) else "old"


def compare(folder: Path, wanted: Mapping[str, str]) -> list[File]:
    """Every wanted file, then each of ours that is no longer wanted. Files of others that are in nobody's way are left out.

    Raises:
        UserError: the folder is none, or a file in it cannot be read.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(Problem("is a file, not a folder", Where(str(folder))))
    files = [File(path, _read(folder / path), text) for path, text in wanted.items()]
    for name in FOLDERS:
        for path in sorted((folder / name).glob("*.yaml")):
            relative = path.relative_to(folder).as_posix()
            text = None if relative in wanted else _read(path)
            if text is not None and is_ours(text):
                files.append(File(relative, text, None))
    return files


def difference(folder: Path, files: list[File]) -> str:
    """What `write` would change, as a unified diff; empty where nothing."""
    lines: list[str] = []
    for file in files:
        if file.was != "same":
            before, after = _lines(file.now), _lines(file.wanted)
            name = str(folder / file.path)
            old, new = (name if text is not None else "/dev/null" for text in (file.now, file.wanted))
            lines += difflib.unified_diff(before, after, old, new, lineterm="")
    return "\n".join(lines)


def _lines(text: str | None) -> list[str]:
    lines = (text or "").replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else [*lines[:-1], f"{lines[-1]}\n\\ No newline at end of file"]


def write(folder: Path, files: list[File], overwrite: bool = False) -> Iterator[str]:
    """Write what is missing or old, remove what is no longer wanted, and tell each. Kustomizations come last.

    All is written beside its name first, so that a full disk leaves the folder as it was.

    Raises:
        UserError: a file was edited (unless `overwrite`), or stands in the way and is not ours; nothing was changed.
        ServiceFault: the disk failed.
    """
    if problems := list(_in_the_way(folder, files, overwrite)):
        raise UserError(problems)
    changed = [file for file in files if file.was != "same"]
    wanted = [file for file in changed if file.wanted is not None]
    partial = {file.path: (folder / file.path).with_name(f".{Path(file.path).name}.partial") for file in wanted}
    try:
        for file in wanted:
            partial[file.path].parent.mkdir(parents=True, exist_ok=True)
            partial[file.path].write_text(file.wanted or "", encoding="utf-8", newline="\n")
        for file in sorted(wanted, key=lambda each: each.path.endswith("kustomization.yaml")):
            partial[file.path].replace(folder / file.path)
            yield f"wrote {folder / file.path}"
        for file in changed:
            if file.wanted is None:
                (folder / file.path).unlink(missing_ok=True)
                yield f"removed {folder / file.path}"
    except OSError as error:
        name = str(error.filename or folder)
        raise ServiceFault(Problem(f"cannot be written: {error.strerror}", Where(name))) from error
    finally:
        for path in partial.values():
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _in_the_way(folder: Path, files: list[File], overwrite: bool) -> Iterator[Problem]:
    for file in files:
        where = Where(str(folder / file.path))
        if file.was == "foreign":
            hint = "move it away, or render into another folder"
            yield Problem("is in the way: odahu-argo render did not write it", where, hint)
        elif file.was == "edited" and not overwrite:
            fate = "removed" if file.wanted is None else "overwritten"
            hint = "change the manifest or the profile instead; --overwrite gives the edit up"
            yield Problem(f"was edited since odahu-argo render wrote it; it is not {fate}", where, hint)


def _read(path: Path) -> str | None:
    """The text of a file; a link counts as a file of others, whatever it leads to."""
    if path.is_symlink():
        return ""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(Problem(f"cannot be read: {error.strerror}", Where(str(path)))) from error
