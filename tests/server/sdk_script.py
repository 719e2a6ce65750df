"""Speaks to an API with the original SDK of ODAHU-flow, and prints what its models made of the answers, as JSON.

A program of its own: the SDK's package brings folders called `tests` and `build`, which must not stand before ours.
"""

import json
import sys
from pathlib import Path

from odahuflow.sdk.clients.connection import ConnectionClient
from odahuflow.sdk.clients.toolchain_integration import ToolchainIntegrationClient
from odahuflow.sdk.clients.training import ModelTrainingClient
from odahuflow.sdk.models import Connection, ModelTraining, ToolchainIntegration

address, token, folder = sys.argv[1:]
options = {"base_url": address, "token": token, "retries": 0, "timeout": 60}
said: dict[str, object] = {}

connections = ConnectionClient(**options)
spec = {"type": "s3", "uri": "s3://wine/data/", "keyID": "aWQ=", "keySecret": "c2VjcmV0"}
connection = Connection.from_dict({"id": "sdk-data", "spec": spec})
said["connection"] = connections.create(connection).to_dict()
connection.spec.region = "eu"
said["edited connection"] = connections.edit(connection).to_dict()
said["decrypted"] = connections.get_decrypted("sdk-data").to_dict()
said["connections"] = [each.id for each in connections.get_all()]

toolchains = ToolchainIntegrationClient(**options)
toolchain = ToolchainIntegration.from_dict({"id": "sdk-line", "spec": {"entrypoint": "mlflow"}})
said["toolchain"] = toolchains.create(toolchain).to_dict()
said["toolchains"] = [each.id for each in toolchains.get_all()]

trainings = ModelTrainingClient(**options)
training = ModelTraining.from_dict(json.loads((Path(folder) / "training.json").read_text()))
said["created"] = trainings.create(training).to_dict()
shown = trainings.get(training.id)
said["trainings"] = [each.id for each in trainings.get_all()]
shown.spec.hyper_parameters = {"alpha": "0.7"}
said["edited"] = trainings.edit(shown).to_dict()
said["log"] = list(trainings.log(training.id, follow=False))
said["deleted"] = [
    trainings.delete(training.id),
    toolchains.delete("sdk-line")["message"],
    connections.delete("sdk-data"),
]
said["health"] = trainings.info()
try:
    trainings.get(training.id)
except Exception as error:
    said["missing"] = str(error)
print(json.dumps(said))
