"""Images built on this machine by buildah, upon a Debian that is made here, because no image registry may be in reach."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.servers.programs import require_program

BASE = "localhost/debian-with-python"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Images:
    """A store of images of its own. Builds use this machine's cache of Python packages where there is one."""

    environment: Mapping[str, str]

    def buildah(self, *arguments: str) -> str:
        return self._done(["buildah", *arguments])

    def make(self, target: str, *names: str) -> None:
        """`make` the target, an image or both, upon the base that was made here; names are like `IMAGE=…`."""
        cache = Path(self.environment["HOME"], ".cache", "uv")
        cache.mkdir(parents=True, exist_ok=True)
        options = f"--quiet --volume {cache}:/root/.cache/uv"
        self._done(["make", target, f"BASE={BASE}", *names, f"IMAGE_OPTIONS={options}"])

    def id(self, image: str) -> str:
        """What the image's whole content makes it."""
        return self.buildah("inspect", "--type", "image", "--format", "{{.FromImageID}}", image)

    def run(self, image: str, *command: str, workspace: Path | None = None) -> subprocess.CompletedProcess[str]:
        """The command in a new container of the image, as the image's user."""
        container = self.buildah("from", image)
        volumes = ["--volume", f"{workspace}:/workspace"] if workspace else []
        try:
            return self._started(["buildah", "run", *volumes, container, "--", *command])
        finally:
            self.buildah("rm", container)

    def _done(self, command: list[str]) -> str:
        ended = self._started(command)
        if ended.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {ended.stdout}{ended.stderr}")
        return ended.stdout.strip()

    def _started(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """The store with its base; all of it is removed in the end. Needs buildah, mmdebstrap, Debian's packages, and
    a user who may mount."""
    require_program("buildah")
    require_program("mmdebstrap")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("containers without an engine, as these are, need a user who may mount")
    folder = tmp_path_factory.mktemp("images")
    images = _store(folder)
    try:
        _make_base(images, folder / "base.tar")
        yield images
    finally:
        images.buildah("rm", "--all")
        images.buildah("rmi", "--all", "--force")
        shutil.rmtree(folder, ignore_errors=True)


def _store(folder: Path) -> Images:
    """With overlays where this machine can have them, else with whole copies, which take longer."""
    for driver in ("overlay", "vfs"):
        settings = folder / f"{driver}.conf"
        roots = f'graphroot = "{folder}/{driver}"\nrunroot = "{folder}/{driver}-run"\n'
        settings.write_text(f'[storage]\ndriver = "{driver}"\n{roots}')
        own = {"CONTAINERS_STORAGE_CONF": str(settings), "BUILDAH_ISOLATION": "chroot"}
        images = Images({**os.environ, **own})
        try:
            images.buildah("info")
            return images
        except RuntimeError as error:
            reason = str(error)
    raise RuntimeError(reason)


def _make_base(images: Images, archive: Path) -> None:
    """Debian with Python, which trusts the certificates that this machine trusts."""
    packages = "--include=python3,python3-venv,ca-certificates"
    release = ("mmdebstrap", "--quiet", "--variant=minbase", packages, "bookworm", str(archive))
    subprocess.run(release, check=True, capture_output=True)
    container = images.buildah("from", "scratch")
    images.buildah("add", "--quiet", container, str(archive), "/")
    images.buildah("copy", "--quiet", container, CERTIFICATES, CERTIFICATES)
    for name in ("PIP_CERT", "SSL_CERT_FILE"):
        images.buildah("config", "--env", f"{name}={CERTIFICATES}", container)
    images.buildah("commit", "--quiet", container, BASE)
    images.buildah("rm", container)
    archive.unlink()
