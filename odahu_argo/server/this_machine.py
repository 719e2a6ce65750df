"""The API upon this machine."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from odahu_argo.backends.views_local import local_views
from odahu_argo.errors import OdahuArgoError
from odahu_argo.local.home import Home
from odahu_argo.local.tracking import prepare_tracking
from odahu_argo.profile import load_profile
from odahu_argo.server.manifest_folders import ConnectionsInFolders, ManifestFolders, ToolchainsInFolders
from odahu_argo.server.source import Source
from odahu_argo.server.trainings_on_this_machine import TrainingsOnThisMachine


def this_machine(home: Home, folders: Sequence[Path], profile: Path | None) -> Source:
    """What `odahu-argo local` has run below `home`, and runs with the connections and toolchains of the folders.

    MLflow's database is prepared beside, which takes seconds the first time, so that the first training need not wait.

    Raises:
        UserError: with every mistake in the folders or the profile.
    """
    manifests = ManifestFolders(folders)
    manifests.whole()
    settings = load_profile(profile)
    threading.Thread(target=_prepare, args=(home,), daemon=True).start()
    trainings = TrainingsOnThisMachine(home, manifests, settings, profile)
    return Source(trainings, ConnectionsInFolders(manifests), ToolchainsInFolders(manifests), local_views(home))


def _prepare(home: Home) -> None:
    """A fault is told by the first training, which looks again."""
    with suppress(OdahuArgoError):
        home.create()
        prepare_tracking(home)
