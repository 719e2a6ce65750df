"""The packages that running trainings on this machine needs, and that are an extra."""

from __future__ import annotations

from importlib.util import find_spec

from odahu_argo.errors import UserError

PACKAGES = ("boto3", "filelock", "mlflow", "psutil")


def require_packages() -> None:
    """See that the local engine's packages are installed.

    Raises:
        UserError: some are not.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"training on this machine needs packages that are not installed: {', '.join(missing)}",
            hint="pip install 'odahu-argo[training]'",
        )
