"""Settings in Jupyter's configuration, `c.OdahuArgo`, and the backend that they select."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from typing import Any

from traitlets import Bool, List, Unicode
from traitlets.config import Configurable

from odahu_argo.backends.base import Backend
from odahu_argo.backends.streaming import LogStreams
from odahu_argo.errors import UserError


class OdahuArgo(Configurable):
    """Location the trainings of the panel run."""

    local = Bool(True, help="Run trainings on this machine. False: on the cluster of the kubeconfig.").tag(config=True)
    manifest_dirs = List(
        Unicode(), help="Directories with the connections and toolchains of trainings on this machine."
    ).tag(config=True)
    profile = Unicode(help="Profile, a YAML file. Defaults to $ODAHU_ARGO_PROFILE.").tag(config=True)
    namespace = Unicode(help="Namespace of trainings on a cluster. Defaults to $ODAHU_ARGO_NAMESPACE.").tag(config=True)
    context = Unicode(help="Context of the kubeconfig. Defaults to $ODAHU_ARGO_CONTEXT.").tag(config=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.logs = LogStreams()
        self._lock = Lock()
        self._backend: Backend | None = None

    def backend(self) -> Backend:
        """Return the backend. It is created on first use, so that Jupyter starts even if a setting is wrong.

        Raises:
            UserError: A setting, directory or profile is not valid, or packages are missing.
            Unreachable: The cluster cannot be reached.
        """
        with self._lock:
            if self._backend is None:
                self._backend = self._local_backend() if self.local else self._kubernetes_backend()
            return self._backend

    def _local_backend(self) -> Backend:
        from odahu_argo.backends.local import LocalBackend
        from odahu_argo.local.home import Home, require_local_training

        if self.namespace or self.context:
            raise UserError(
                "c.OdahuArgo.namespace and c.OdahuArgo.context require a cluster, but trainings run on this machine",
                hint="c.OdahuArgo.local = False",
            )
        require_local_training()
        directories = [Path(directory) for directory in self.manifest_dirs]
        backend = LocalBackend(Home.from_environment(), directories, self._profile())
        backend.prepare()
        return backend

    def _kubernetes_backend(self) -> Backend:
        from odahu_argo.backends.shared import SharedKubernetesBackend
        from odahu_argo.resources.profile import connect_with_profile

        if self.manifest_dirs:
            raise UserError(
                "c.OdahuArgo.manifest_dirs requires trainings on this machine",
                hint="on a cluster, create connections with odahu-argo conn apply",
            )
        namespace = self.namespace or os.environ.get("ODAHU_ARGO_NAMESPACE")
        context = self.context or os.environ.get("ODAHU_ARGO_CONTEXT")
        return SharedKubernetesBackend(*connect_with_profile(self._profile(), namespace or None, context or None))

    def _profile(self) -> Path | None:
        profile = self.profile or os.environ.get("ODAHU_ARGO_PROFILE")
        return Path(profile) if profile else None
