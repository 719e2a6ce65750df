"""Completion marker of the step `train`, for later attempts of it; see `odahu_argo.steps.markers`."""

import json
import os
import time

from odahu_argo.launcher.launch import Launch

_MARKER_FILE = "marker"


def write_marker(launch: Launch, directory: str) -> None:
    """Mark the training as finished, with its run ID. The launch in `directory` contains the path of the marker.

    Everything that the training has written is on disk before the marker exists, even if the node fails.
    """
    with open(os.path.join(directory, _MARKER_FILE), encoding="utf-8") as file:
        marker = file.read().strip()
    with open(launch.run_id_file, encoding="utf-8") as file:
        results = {"run-id": file.read().strip()}
    os.sync()
    with open(marker + ".partial", "w", encoding="utf-8") as file:
        json.dump({"completed": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "results": results}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(marker + ".partial", marker)
