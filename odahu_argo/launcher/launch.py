"""The launch file: everything that the launcher needs to know, as JSON."""

import json
from typing import Any, Dict, List, NamedTuple, Optional


class EnvironmentFile(NamedTuple):
    """The environment that a project declares.

    `kind` is `python_env` or `conda_env`. `pip` lists requirements as in a requirements file, without references to other
    files; `conda` lists conda packages other than Python and pip, and `channels` their channels. `digest` identifies the
    content.
    """

    kind: str
    path: str
    python: Optional[str]
    pip: List[str]
    conda: List[str]
    channels: List[str]
    digest: str


class Launch(NamedTuple):
    """One launch of a training program.

    `command` is a line for a POSIX shell, run in `work_dir`; all paths are absolute. `downloads` maps local paths to URIs of
    parameters that are downloaded first. `model` is the directory for the files of the logged model, or None if the training
    need not log one. `strict` rejects differences between the environment file and the installed packages.
    """

    command: str
    work_dir: str
    downloads: Dict[str, str]
    parameters: Dict[str, str]
    tags: Dict[str, str]
    experiment: str
    variables: Dict[str, str]
    results: str
    output: str
    model: Optional[str]
    environment: Optional[EnvironmentFile]
    environment_manager: str
    environments: str
    uv: Optional[str]
    strict: bool

    @property
    def run_id_file(self) -> str:
        """Result file with the ID of the run."""
        return self.results + "/run-id"


def launch_to_json(launch: Launch) -> str:
    """Serialize a launch. Equal launches give equal text."""
    values: Dict[str, Any] = dict(launch._asdict())
    if launch.environment is not None:
        values["environment"] = dict(launch.environment._asdict())
    return json.dumps(values, indent=1, sort_keys=True)


def launch_from_json(text: str) -> Launch:
    """Parse a launch file that this version has written."""
    values = json.loads(text)
    if values["environment"] is not None:
        values["environment"] = EnvironmentFile(**values["environment"])
    return Launch(**values)
