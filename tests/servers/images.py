"""Image builds with buildah, on a Debian base built by mmdebstrap, so that no image registry is needed."""

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
class ImageStore:
    """Temporary image store of buildah. Builds share uv's package cache of this machine."""

    environment: Mapping[str, str]

    def buildah(self, *arguments: str) -> str:
        """Run buildah and return its output. Raise RuntimeError if it fails."""
        return self._check_output(["buildah", *arguments])

    def make(self, target: str, *variables: str, options: str = "") -> None:
        """Run `make` with variables such as `IMAGE=…` and further build options, on BASE."""
        cache = Path(self.environment["HOME"], ".cache", "uv")
        cache.mkdir(parents=True, exist_ok=True)
        image_options = f"IMAGE_OPTIONS=--quiet --volume {cache}:/root/.cache/uv {options}"
        self._check_output(["make", target, f"BASE={BASE}", *variables, image_options])

    def image_id(self, image: str) -> str:
        """Return the image's ID, the digest of its configuration and layers."""
        return self.buildah("inspect", "--type", "image", "--format", "{{.FromImageID}}", image)

    def run(self, image: str, *command: str, workspace: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command in a new container, as the image's user and with the workspace mounted at /workspace.

        On a busy machine, buildah may lose output that is written just before the end.
        """
        container = self.buildah("from", image)
        volumes = ["--volume", f"{workspace}:/workspace"] if workspace else []
        try:
            script = '"$@"; code=$?; sleep 1; exit $code'
            return self._run(["buildah", "run", *volumes, container, "--", "sh", "-c", script, "sh", *command])
        finally:
            self.buildah("rm", container)

    def _check_output(self, command: list[str]) -> str:
        result = self._run(command)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {result.stdout}{result.stderr}")
        return result.stdout.strip()

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True)


@pytest.fixture(scope="session")
def image_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageStore]:
    """An image store that contains BASE, removed after the tests.

    Needs buildah, mmdebstrap, a Debian package mirror, and permission to mount.
    """
    require_program("buildah")
    require_program("mmdebstrap")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("buildah's chroot isolation needs permission to mount")
    directory = tmp_path_factory.mktemp("images")
    store = _create_store(directory)
    try:
        _build_base(store, directory / "base.tar")
        yield store
    finally:
        store.buildah("rm", "--all")
        shutil.rmtree(directory, ignore_errors=True)


def _create_store(directory: Path) -> ImageStore:
    """Use the overlay driver if this machine supports it, otherwise vfs, which copies whole layers."""
    for driver in ("overlay", "vfs"):
        config = directory / f"{driver}.conf"
        roots = f'graphroot = "{directory}/{driver}"\nrunroot = "{directory}/{driver}-run"\n'
        config.write_text(f'[storage]\ndriver = "{driver}"\n{roots}')
        variables = {"CONTAINERS_STORAGE_CONF": str(config), "BUILDAH_ISOLATION": "chroot"}
        store = ImageStore({**os.environ, **variables})
        try:
            store.buildah("info")
            return store
        except RuntimeError as error:
            reason = str(error)
    raise RuntimeError(reason)


def _build_base(store: ImageStore, archive: Path) -> None:
    """Build BASE: Debian with Python and this machine's CA certificates."""
    packages = "--include=python3,python3-venv,ca-certificates"
    bootstrap = ("mmdebstrap", "--quiet", "--variant=minbase", packages, "bookworm", str(archive))
    subprocess.run(bootstrap, check=True, capture_output=True)
    container = store.buildah("from", "scratch")
    store.buildah("add", "--quiet", container, str(archive), "/")
    store.buildah("copy", "--quiet", container, CERTIFICATES, CERTIFICATES)
    for name in ("PIP_CERT", "SSL_CERT_FILE"):
        store.buildah("config", "--env", f"{name}={CERTIFICATES}", container)
    store.buildah("commit", "--quiet", container, BASE)
    store.buildah("rm", container)
    archive.unlink()
