"""Workflows that Argo ends before they begin, because of the WorkflowTemplate they refer to, in the words of Argo 4.1.2."""

from __future__ import annotations

import pytest

from odahu_argo.status.state import read_status


@pytest.mark.parametrize(
    ("message", "reason", "said", "hint"),
    [
        (
            "WorkflowSpec may not change during execution when the controller is set `templateReferencing: Secure`",
            "TemplateChanged",
            "changed while it ran",
            "delete it",
        ),
        (
            "workflows must use workflowTemplateRef to be executed when the controller is in reference mode",
            "TemplateReferencing",
            "only workflows that refer to a WorkflowTemplate",
            "odahu-argo render",
        ),
        (
            'workflowtemplate.argoproj.io "wine" not found',
            "TemplateNotFound",
            "WorkflowTemplate wine was not there",
            "templates before runs",
        ),
    ],
)
def test_what_argo_says_of_a_template_is_told_with_its_remedy(message: str, reason: str, said: str, hint: str) -> None:
    spec = {"workflowTemplateRef": {"name": "wine"}}
    status = read_status(
        {"metadata": {"name": "wine-1"}, "spec": spec, "status": {"phase": "Error", "message": message}}
    )
    assert (status.state, status.reason) == ("failed", reason)
    assert said in status.message
    assert hint in status.hint
