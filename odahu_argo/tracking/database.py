"""Runs in MLflow's database on this machine, by MLflow's own client."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from odahu_argo.errors import ServiceFault, UserError
from odahu_argo.tracking.model import MOST_CURVES, Metric, Run, thinned


@dataclass(frozen=True, slots=True)
class Database:
    """The SQLite file that local trainings record their runs in. MLflow takes seconds to import, the first time."""

    file: Path

    def read(self, run_id: str) -> Run:
        """The run as it stands now.

        Raises:
            UserError: it is not in the database, or MLflow is not installed.
            ServiceFault: the database cannot be read.
        """
        if not self.file.exists():
            raise UserError("no training has used MLflow on this machine yet")
        try:
            from odahu_argo.steps.tracking import quiet_mlflow

            quiet_mlflow()
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
        except ImportError as error:
            raise UserError("MLflow is not installed here", hint="pip install 'odahu-argo[runner]'") from error
        try:
            client = MlflowClient(f"sqlite:///{self.file}")
            run = client.get_run(run_id)
            names = sorted(run.data.metrics)
            histories = {name: client.get_metric_history(run_id, name) for name in names[:MOST_CURVES]}
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise UserError("MLflow's database on this machine does not know this run") from error
            raise ServiceFault(f"MLflow's database {self.file} cannot be read") from error
        curves = {
            name: thinned([(each.step, each.value) for each in sorted(points, key=lambda each: each.step)])
            for name, points in histories.items()
        }
        return Run(
            id=run_id,
            experiment=str(run.info.experiment_id),
            status=str(run.info.status),
            parameters=tuple(sorted(run.data.params.items())),
            metrics=tuple(Metric(name, run.data.metrics[name], curves.get(name, ())) for name in names),
        )
