"""The files that git holds for trainings, and what is in them.

    kustomization.yaml                     both folders, in this order; each has one of its own
    templates/<training>.template.yaml     its WorkflowTemplate
    templates/<connection>.secret.yaml     an ExternalSecret, where the profile names a store
    runs/<training>.run.yaml               its Workflow and, where it asks for a schedule, its CronWorkflow

Runs must come after templates: Argo ends a workflow as an error whose template is not there. Each file begins with a line
that says who wrote it, and a digest of the lines below. What has such a line is ours; what has another digest was edited.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from odahu_argo.compile import referenced
from odahu_argo.compile.emit import to_yaml
from odahu_argo.compile.spec import Object
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
        cron = referenced.cron_workflow(plan)
        objects[f"{TEMPLATES}/{plan.training_id}.template.yaml"] = [referenced.workflow_template(plan)]
        objects[f"{RUNS}/{plan.training_id}.run.yaml"] = [referenced.run(plan), *([cron] if cron else [])]
        for use in plan.connections if plan.profile.external_secrets.store else ():
            objects[f"{TEMPLATES}/{use.id}.secret.yaml"] = [referenced.external_secret(plan, use.id)]
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
