"""What preflight makes of a cluster that denies. The cluster is a stand-in: a real API grants access reviews to everyone."""

from __future__ import annotations

from typing import Any

from odahu_argo.errors import Forbidden
from odahu_argo.preflight.checks import check
from odahu_argo.profile import Profile


class Closed:
    """A cluster that lets nobody see or ask anything."""

    namespace = "ml"

    def __getattr__(self, name: str) -> Any:
        def denied(*_: object, **__: object) -> None:
            raise Forbidden("you may not")

        return denied


def test_who_may_not_ask_for_own_rights_is_warned_and_goes_on() -> None:
    findings = check(Closed(), Profile())  # type: ignore[arg-type]
    assert [(each.level, each.subject) for each in findings] == [
        ("warning", "your rights"),
        ("warning", "service account"),
    ]
    assert "--as system:serviceaccount:ml:odahu-argo-training" in (findings[1].hint or "")
