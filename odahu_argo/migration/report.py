"""The report of a migration as Markdown."""

from __future__ import annotations

from collections import Counter

from odahu_argo.migration.connections import SecretMode
from odahu_argo.migration.export import KINDS, Export
from odahu_argo.migration.tree import DIRECTORIES, Tree

REPORT = "REPORT.md"
_SECRETS: dict[SecretMode, str] = {
    "omit": "Secret values of connections were not exported. Run `odahu-argo migrate` again with `--secrets apply`,"
    " `external` or `files`, or create the Secrets yourself.",
    "apply": "Secret values of connections are in Secrets of the target namespace. No file contains them.",
    "external": "`external-secrets/` refers to the secret store of the profile. No file contains secret values.",
    "files": "**The files in `connections/` contain secret values. Do not commit them.** Create the Secrets with"
    " `odahu-argo conn apply -d connections` and delete the files.",
}


def write_report(export: Export, tree: Tree, secrets: SecretMode) -> str:
    """Return the report: exported resources, open decisions, the location of secrets, and the next steps."""
    counts = Counter(resource.kind for resource in export.resources)
    rows = [
        f"| {kind} | {counts[kind]} | `{DIRECTORIES.get(kind, f'other/{kind}')}/` |" for kind in KINDS if counts[kind]
    ]
    decisions = [f"- `{decision.subject}`: {_inline(decision.text)}" for decision in tree.decisions]
    unchanged = [f"- `{path}`" for path in tree.unchanged]
    parts = [
        f"# Migration from {_inline(export.source)}",
        "\n".join(["| kind | resources | files |", "|---|---|---|", *rows]),
        "## Needs a decision",
        "\n".join(decisions) or "Nothing.",
        "## Secrets",
        _SECRETS[secrets],
        "## Exported unchanged",
        "odahu-argo runs trainings only. Other programs must replace what these resources did.",
        "\n".join(unchanged) or "Nothing.",
        "## Next steps",
        "```sh\nodahu-argo plan -d .              # check all trainings\n"
        "odahu-argo doctor -n NAMESPACE -d .   # check the cluster\n"
        "odahu-argo render -d . -o deploy/     # files for Argo CD or Flux\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _inline(text: str) -> str:
    """Return text of users on one line, without Markdown's special characters."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "&#124;")
