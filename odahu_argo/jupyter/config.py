"""What `c.OdahuArgo` in Jupyter's configuration says, and the trainings that follow from it."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from typing import Any

from traitlets import Bool, List, Unicode
from traitlets.config import Configurable

from odahu_argo.errors import UserError
from odahu_argo.server.source import Source


class OdahuArgo(Configurable):
    """Where the trainings of the panel run."""

    local = Bool(True, help="Train on this machine; False: on the cluster that the kubeconfig names.").tag(config=True)
    manifest_dirs = List(
        Unicode(), help="Folders with the connections and toolchains of trainings on this machine."
    ).tag(config=True)
    profile = Unicode(help="The site's settings, a YAML file; else $ODAHU_ARGO_PROFILE.").tag(config=True)
    namespace = Unicode(help="Where trainings run on the cluster; else $ODAHU_ARGO_NAMESPACE.").tag(config=True)
    context = Unicode(help="The kubeconfig's context to use; else $ODAHU_ARGO_CONTEXT.").tag(config=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._lock = Lock()
        self._source: Source | None = None

    def source(self) -> Source:
        """The trainings; looked for when they are first asked for, so that Jupyter starts without them.

        Raises:
            UserError: the settings, a folder or the profile cannot be used, or packages are missing.
            Unreachable: the cluster does not answer.
        """
        with self._lock:
            if self._source is None:
                self._source = self._on_this_machine() if self.local else self._on_the_cluster()
            return self._source

    def _on_this_machine(self) -> Source:
        from odahu_argo.local.home import Home
        from odahu_argo.local.prepare import require_packages

        if self.namespace or self.context:
            raise UserError(
                "trainings of this machine are in no cluster, but c.OdahuArgo names a namespace or context",
                hint="c.OdahuArgo.local = False",
            )
        require_packages()
        from odahu_argo.server.this_machine import this_machine

        return this_machine(Home.from_environment(), [Path(each) for each in self.manifest_dirs], self._profile())

    def _on_the_cluster(self) -> Source:
        from odahu_argo.resources.profile import connect_with_profile
        from odahu_argo.server.argo import argo

        if self.manifest_dirs:
            raise UserError(
                "c.OdahuArgo.manifest_dirs is for trainings on this machine",
                hint="on a cluster connections are kept by odahu-argo conn apply",
            )
        namespace = self.namespace or os.environ.get("ODAHU_ARGO_NAMESPACE")
        context = self.context or os.environ.get("ODAHU_ARGO_CONTEXT")
        return argo(*connect_with_profile(self._profile(), namespace or None, context or None))

    def _profile(self) -> Path | None:
        found = self.profile or os.environ.get("ODAHU_ARGO_PROFILE")
        return Path(found) if found else None
