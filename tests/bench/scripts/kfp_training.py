"""The same training as a Kubeflow pipeline: `kfp dsl compile --py kfp_training.py --output FILE`."""

from kfp import dsl

RUNNER = "registry.example.org/ml/odahu-argo-runner:0.1.0"
TRAINER = "registry.example.org/ml/tensorflow-gpu:2.16"
STEPS = ["python", "-m", "odahu_argo.steps"]


@dsl.container_component
def checkout():
    return dsl.ContainerSpec(image=RUNNER, command=[*STEPS, "checkout"])


@dsl.container_component
def download(connection: str, local_path: str):
    return dsl.ContainerSpec(image=RUNNER, command=[*STEPS, "download"], args=[connection, local_path])


@dsl.container_component
def train(epochs: int, batch_size: int):
    return dsl.ContainerSpec(image=TRAINER, command=[*STEPS, "train"], args=[epochs, batch_size])


@dsl.container_component
def package(connection: str):
    return dsl.ContainerSpec(image=RUNNER, command=[*STEPS, "package"], args=[connection])


@dsl.pipeline(name="training")
def training():
    code = checkout()
    data = [
        download(connection=name, local_path=f"data/{name}/").after(code) for name in ("images", "weights", "labels")
    ]
    trained = train(epochs=20, batch_size=64).after(*data)
    trained.set_cpu_limit("4").set_memory_limit("16Gi").set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(1)
    for task in [code, *data]:
        task.set_cpu_limit("1").set_memory_limit("1Gi").set_retry(3)
    package(connection="models").after(trained).set_cpu_limit("1").set_memory_limit("1Gi").set_retry(3)
