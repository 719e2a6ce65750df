"""Compile trainings from YAML to YAML with hera: `hera_trainings.py [--processes N] FOLDER OUTPUT`."""

import sys
from pathlib import Path

import yaml
from hera.workflows import (
    DAG,
    Container,
    Env,
    Parameter,
    Resources,
    RetryStrategy,
    SecretVolume,
    Volume,
    Workflow,
)
from hera.workflows.models import SecurityContext, Toleration, ValueFrom

RUNNER = "registry.example.org/ml/odahu-argo-runner:0.1.0"
STEPS = ["python", "-m", "odahu_argo.steps"]


def step(kind, name, spec, image=RUNNER, connection=None, result=None, resources=None):
    volumes = (
        [
            SecretVolume(
                name=f"connection-{connection}",
                secret_name=f"connection-{connection}",
                mount_path=f"/var/run/odahu-argo/connections/{connection}",
            )
        ]
        if connection
        else []
    )
    return Container(
        name=name,
        image=image,
        command=[*STEPS, kind],
        env=[Env(name="ODAHU_ARGO_STEP", value=spec), Env(name="HOME", value="/workspace/home")],
        resources=resources or Resources(cpu_request="250m", cpu_limit=1, memory_request="512Mi", memory_limit="1Gi"),
        retry_strategy=RetryStrategy(limit="3", retry_policy="Always", expression="lastRetry.status == 'Error'"),
        security_context=SecurityContext(allow_privilege_escalation=False),
        volumes=volumes,
        outputs=[Parameter(name=result, value_from=ValueFrom(path=f"/workspace/results/{result}"))] if result else [],
    )


def to_yaml(manifest):
    spec = manifest["spec"]
    limits, requests = spec["resources"]["limits"], spec["resources"]["requests"]
    with Workflow(
        name=f"{manifest['id']}-1",
        namespace="ml-training",
        entrypoint="training",
        service_account_name="odahu-argo-training",
        labels={"odahu.org/training-id": manifest["id"], "odahu.org/model-version": str(spec["model"]["version"])},
        volumes=[Volume(name="workspace", size="100Gi", mount_path="/workspace")],
    ) as workflow:
        checkout = step("checkout", "checkout", str(spec["reference"]), connection=spec["vcsName"], result="commit-id")
        downloads = [
            step("download", f"download-{each['connName']}", each["localPath"], connection=each["connName"])
            for each in spec["data"]
        ]
        train = step(
            "train",
            "train",
            str(spec["hyperParameters"]),
            image=spec["image"],
            result="run-id",
            resources=Resources(
                cpu_request=requests["cpu"],
                cpu_limit=limits["cpu"],
                memory_request=requests["memory"],
                memory_limit=limits["memory"],
                gpus=limits["gpu"],
            ),
        )
        train.tolerations = [Toleration(key="dedicated", operator="Equal", value="training-gpu", effect="NoSchedule")]
        package = step("package", "package", spec["model"]["name"], connection="models-output", result="artifact-name")
        with DAG(name="training"):
            first = checkout(name="checkout")
            last = train(name="train")
            for each in downloads:
                task = each(name=each.name)
                first >> task >> last
            last >> package(name="package")
    return workflow.to_yaml()


def read(file):
    return to_yaml(yaml.load(file.read_text(), Loader=yaml.CSafeLoader))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    processes = 1
    if arguments[0] == "--processes":
        processes, arguments = int(arguments[1]), arguments[2:]
    folder, output = map(Path, arguments)
    files = sorted(folder.glob("training-*.yaml"))
    if processes > 1:
        from multiprocessing import Pool

        with Pool(processes) as pool:
            texts = pool.map(read, files, chunksize=20)
    else:
        texts = map(read, files)
    output.mkdir(parents=True, exist_ok=True)
    for file, text in zip(files, texts, strict=True):
        (output / file.name).write_text(text)
