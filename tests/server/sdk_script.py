"""Call an API with ODAHU-flow's SDK, and print the parsed responses as JSON.

This is a separate program because the SDK's package contains packages `tests` and `build`, which would shadow ours.
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
output: dict[str, object] = {}

connections = ConnectionClient(**options)
spec = {"type": "s3", "uri": "s3://wine/data/", "keyID": "aWQ=", "keySecret": "//4AAQI="}  # not UTF-8
connection = Connection.from_dict({"id": "sdk-data", "spec": spec})
output["connection"] = connections.create(connection).to_dict()
connection.spec.region = "eu"
output["edited connection"] = connections.edit(connection).to_dict()
output["decrypted"] = connections.get_decrypted("sdk-data").to_dict()
output["connections"] = [item.id for item in connections.get_all()]

toolchains = ToolchainIntegrationClient(**options)
toolchain = ToolchainIntegration.from_dict({"id": "sdk-line", "spec": {"entrypoint": "mlflow"}})
output["toolchain"] = toolchains.create(toolchain).to_dict()
output["toolchains"] = [item.id for item in toolchains.get_all()]

trainings = ModelTrainingClient(**options)
training = ModelTraining.from_dict(json.loads((Path(folder) / "training.json").read_text()))
output["created"] = trainings.create(training).to_dict()
shown = trainings.get(training.id)
output["trainings"] = [item.id for item in trainings.get_all()]
shown.spec.hyper_parameters = {"alpha": "0.7"}
output["edited"] = trainings.edit(shown).to_dict()
output["log"] = list(trainings.log(training.id, follow=False))
output["deleted"] = [
    trainings.delete(training.id),
    toolchains.delete("sdk-line")["message"],
    connections.delete("sdk-data"),
]
output["health"] = trainings.info()
try:
    trainings.get(training.id)
except Exception as error:
    output["missing"] = str(error)
print(json.dumps(output))
