"""Rendering of trainings to a directory in git. Updates are atomic, and files of other origin are never modified."""

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
from odahu_argo.errors import Location, Problem, ServiceFault, UserError
from odahu_argo.plan.model import Plan

KUSTOMIZATION = "kustomization.yaml"
TEMPLATES, RUNS = "templates", "runs"
DIRECTORIES = ("", TEMPLATES, RUNS)
"""Directories of rendered files, which are also searched for obsolete files."""
_HEADER = re.compile(r"# Written by odahu-argo render, sha256:([0-9a-f]{16})\. Change the manifest instead\.")


def render_files(plans: Iterable[Plan]) -> dict[str, str]:
    """Return the content of every file by path, sorted. The same plans give the same bytes in any order.

    Raises:
        UserError: a template exceeds the size limits of Argo or Kubernetes.
    """
    objects: dict[str, list[Object]] = {}
    for plan in plans:
        cron = workflow_template.cron_workflow(plan)
        run = workflow_template.template_run(plan)
        objects[f"{TEMPLATES}/{plan.training_id}.template.yaml"] = [workflow_template.workflow_template(plan)]
        objects[f"{RUNS}/{plan.training_id}.run.yaml"] = [run, *([cron] if cron else [])]
        for use in plan.connections if plan.profile.external_secrets.store else ():
            objects[f"{TEMPLATES}/{use.id}.secret.yaml"] = [workflow_template.external_secret(plan.profile, use.id)]
    texts = {path: to_yaml(documents) for path, documents in objects.items()}
    for directory in (TEMPLATES, RUNS):
        names = sorted(path.removeprefix(f"{directory}/") for path in objects if path.startswith(f"{directory}/"))
        texts[f"{directory}/{KUSTOMIZATION}"] = _kustomization(names)
    texts[KUSTOMIZATION] = _kustomization([TEMPLATES, RUNS])
    return {path: add_header(texts[path]) for path in sorted(texts)}


def _kustomization(resources: Sequence[str]) -> str:
    """Return a kustomization with one resource per line, so that branches that add trainings merge without conflicts.

    The order `fifo` prevents kustomize from sorting Workflows before their WorkflowTemplates.

    Source: https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/sortoptions/
    """
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "sortOptions": {"order": "fifo"},
        "resources": list(resources),
    }
    return to_yaml([kustomization])


def add_header(text: str) -> str:
    """Prepend the comment that marks a rendered file and contains the digest of its content."""
    return f"# Written by odahu-argo render, sha256:{_digest(text)}. Change the manifest instead.\n{text}"


def has_header(text: str) -> bool:
    """Return whether any version of odahu-argo rendered the file, even if it was edited later."""
    return _HEADER.fullmatch(text.partition("\n")[0].rstrip("\r")) is not None


def is_edited(text: str) -> bool:
    """Return whether a rendered file was edited. Windows line endings do not count."""
    first_line, _, content = text.replace("\r\n", "\n").partition("\n")
    header = _HEADER.fullmatch(first_line)
    return header is not None and header[1] != _digest(content)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A file of the directory. `current` is None if it does not exist, `rendered` if it is obsolete."""

    path: str
    current: str | None
    rendered: str | None

    @property
    def state(self) -> Literal["missing", "unchanged", "outdated", "edited", "foreign"]:
        """State of the existing file; `foreign` if odahu-argo did not render it."""
        if self.current is None:
            return "missing"
        if not has_header(self.current):
            return "foreign"
        if self.current.replace("\r\n", "\n") == self.rendered:
            return "unchanged"
        return "edited" if is_edited(self.current) else "outdated"


def compare_files(directory: Path, rendered: Mapping[str, str]) -> list[RenderedFile]:
    """Return every file to render, and every obsolete rendered file. Other files of the directory are ignored.

    Raises:
        UserError: the path is not a directory, or a file cannot be read.
    """
    if directory.exists() and not directory.is_dir():
        raise UserError(Problem("not a directory", Location(str(directory))))
    files = [RenderedFile(path, _read(directory / path), text) for path, text in rendered.items()]
    for name in DIRECTORIES:
        for path in sorted((directory / name).glob("*.yaml")):
            relative = path.relative_to(directory).as_posix()
            text = None if relative in rendered else _read(path)
            if text is not None and has_header(text):
                files.append(RenderedFile(relative, text, None))
    return files


def _read(path: Path) -> str | None:
    """Return the text of a file, or None if it does not exist. A symbolic link counts as a foreign file."""
    if path.is_symlink():
        return ""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(Problem(f"cannot read the file: {error.strerror}", Location(str(path)))) from error


def unified_diff(directory: Path, files: list[RenderedFile]) -> str:
    """Return the changes that `write_files` would make as a unified diff; empty if there are none."""
    lines: list[str] = []
    for file in files:
        if file.state != "unchanged":
            name = str(directory / file.path)
            before, after = (name if text is not None else "/dev/null" for text in (file.current, file.rendered))
            lines += difflib.unified_diff(_lines(file.current), _lines(file.rendered), before, after, lineterm="")
    return "\n".join(lines)


def _lines(text: str | None) -> list[str]:
    lines = (text or "").replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else [*lines[:-1], f"{lines[-1]}\n\\ No newline at end of file"]


def write_files(directory: Path, files: list[RenderedFile], overwrite: bool = False) -> Iterator[str]:
    """Write missing and outdated files, remove obsolete ones, and yield a message for each. Kustomizations are last.

    All content is first written to temporary files, so that a full disk leaves the directory unchanged.

    Raises:
        UserError: a file was edited (unless `overwrite`), or a foreign file has the same name; nothing was changed.
        ServiceFault: the disk failed.
    """
    if problems := list(_check_conflicts(directory, files, overwrite)):
        raise UserError(problems)
    changed = [file for file in files if file.state != "unchanged"]
    written = [file for file in changed if file.rendered is not None]
    temporary = {file.path: (directory / file.path).with_name(f".{Path(file.path).name}.partial") for file in written}
    try:
        for file in written:
            temporary[file.path].parent.mkdir(parents=True, exist_ok=True)
            temporary[file.path].write_text(file.rendered or "", encoding="utf-8", newline="\n")
        for file in sorted(written, key=lambda file: file.path.endswith(KUSTOMIZATION)):
            temporary[file.path].replace(directory / file.path)
            yield f"wrote {directory / file.path}"
        for file in changed:
            if file.rendered is None:
                (directory / file.path).unlink(missing_ok=True)
                yield f"removed {directory / file.path}"
    except OSError as error:
        name = str(error.filename or directory)
        raise ServiceFault(Problem(f"cannot write the file: {error.strerror}", Location(name))) from error
    finally:
        for path in temporary.values():
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _check_conflicts(directory: Path, files: list[RenderedFile], overwrite: bool) -> Iterator[Problem]:
    for file in files:
        location = Location(str(directory / file.path))
        if file.state == "foreign":
            hint = "move the file, or render to another directory"
            yield Problem("the file exists, and odahu-argo render did not write it", location, hint)
        elif file.state == "edited" and not overwrite:
            action = "removed" if file.rendered is None else "overwritten"
            hint = "change the manifest or the profile instead, or discard the edits with --overwrite"
            yield Problem(f"the file was edited after odahu-argo render wrote it, and is not {action}", location, hint)
