"""User text in a form that neither Argo nor the kubelet rewrites.

Argo replaces `{{...}}` anywhere in a template (https://argo-workflows.readthedocs.io/en/latest/variables/), the kubelet
expands `$(NAME)` in values of environment variables
(https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/). In JSON both can be
written as escapes of a string: still JSON, still readable, and inert.
"""

from __future__ import annotations


def inert_json(text: str) -> str:
    """The same JSON value as `text`, without `{{` and without `$`.

    Neither stands outside of a string in JSON as `json.dumps` writes it, so replacing them everywhere changes no structure.
    """
    return text.replace("{{", r"\u007b\u007b").replace("$", r"\u0024")
