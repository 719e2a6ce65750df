"""`odahu-argo setup` without a cluster."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from tests.commands import odahu_argo


def test_reads_profile_from_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "profile"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_text, args=("namespace: ml\n",), daemon=True).start()
    ran = odahu_argo("setup", "--profile", pipe, timeout=60)
    assert ran.code == 0, ran.err
    assert 'name: "ml"' in ran.out and "namespace: ml" in ran.out
