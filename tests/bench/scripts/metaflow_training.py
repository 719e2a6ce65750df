"""The same training as a metaflow flow: `metaflow_training.py argo-workflows create --only-json`."""

from metaflow import FlowSpec, kubernetes, retry, step, timeout

RUNNER = "registry.example.org/ml/odahu-argo-runner:0.1.0"
TRAINER = "registry.example.org/ml/tensorflow-gpu:2.16"


class TrainingFlow(FlowSpec):
    @retry(times=3)
    @timeout(hours=1)
    @kubernetes(image=RUNNER, cpu=1, memory=1024)
    @step
    def start(self):
        self.next(self.images, self.weights, self.labels)

    @retry(times=3)
    @timeout(hours=1)
    @kubernetes(image=RUNNER, cpu=1, memory=1024)
    @step
    def images(self):
        self.next(self.train)

    @retry(times=3)
    @timeout(hours=1)
    @kubernetes(image=RUNNER, cpu=1, memory=1024)
    @step
    def weights(self):
        self.next(self.train)

    @retry(times=3)
    @timeout(hours=1)
    @kubernetes(image=RUNNER, cpu=1, memory=1024)
    @step
    def labels(self):
        self.next(self.train)

    @retry(times=1)
    @timeout(hours=72)
    @kubernetes(image=TRAINER, cpu=4, memory=16384, gpu=1)
    @step
    def train(self, inputs):
        self.next(self.end)

    @retry(times=3)
    @timeout(hours=1)
    @kubernetes(image=RUNNER, cpu=1, memory=1024)
    @step
    def end(self):
        pass


if __name__ == "__main__":
    TrainingFlow()
