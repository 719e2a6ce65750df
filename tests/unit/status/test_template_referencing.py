"""Workflows that Argo 4.1.2 rejects because of the WorkflowTemplate they refer to."""

from __future__ import annotations

import pytest

from odahu_argo.status.state import read_status


@pytest.mark.parametrize(
    ("message", "reason", "explanation", "hint"),
    [
        (
            "WorkflowSpec may not change during execution when the controller is set `templateReferencing: Secure`",
            "TemplateChanged",
            "changed during the run",
            "delete this workflow",
        ),
        (
            "workflows must use workflowTemplateRef to be executed when the controller is in reference mode",
            "TemplateReferencing",
            "only runs workflows that refer to a WorkflowTemplate",
            "odahu-argo render",
        ),
        (
            'workflowtemplate.argoproj.io "wine" not found',
            "TemplateNotFound",
            "WorkflowTemplate wine did not exist",
            "templates before runs",
        ),
    ],
)
def test_template_error_is_explained(message: str, reason: str, explanation: str, hint: str) -> None:
    spec = {"workflowTemplateRef": {"name": "wine"}}
    status = read_status(
        {"metadata": {"name": "wine-1"}, "spec": spec, "status": {"phase": "Error", "message": message}}
    )
    assert (status.state, status.reason) == ("failed", reason)
    assert explanation in status.message
    assert hint in status.hint
