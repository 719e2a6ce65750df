"""`odahu-argo login` and `logout`, which scripts for odahuflowctl begin with."""

from __future__ import annotations

from odahu_argo.cli import render


def login_command() -> None:
    """Say what takes the place of odahuflowctl's login: the kubeconfig. Ends with 2.

    Example: odahu-argo config set CONTEXT production
    """
    from odahu_argo.errors import UserError

    hint = (
        "kubectl config get-contexts lists the clusters that you may use; odahu-argo config set CONTEXT NAME keeps one,\n"
        "        config set NAMESPACE NAME the namespace. Whoever runs the cluster hands out kubeconfigs"
    )
    raise UserError(
        "there is no server to log in to: commands speak to Kubernetes, with your kubeconfig's rights", hint
    )


def logout_command() -> None:
    """Say that nothing is kept that one could log out from.

    Example: odahu-argo logout
    """
    render.note("note: odahu-argo keeps no credentials; those for Kubernetes are in your kubeconfig")
