"""A fake kubelet that serves the logs of pods that do not run.

The API server requests a pod's log from the kubelet of its node (`/containerLogs/…`) and forwards the response.
"""

from __future__ import annotations

import ssl
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme
from kubernetes import client

TRAIN_NODE = "3540921506"
"""Suffix of the node ID of the step `train` in the recording `running-train`."""


class Kubelet:
    """A node and the logs of its pods."""

    def __init__(self, api: client.ApiClient, namespace: str, node: str) -> None:
        self._core = client.CoreV1Api(api)
        self._namespace = namespace
        self._node = node
        self._heard = threading.Condition()
        self._lines: dict[str, list[str]] = defaultdict(list)
        self._ended: set[str] = set()

    def start(self, workflow: str, step: str, node_id: str) -> str:
        """Create the pod of a workflow's step like Argo's controller, and return its name."""
        name = f"{workflow}-{step}"
        labels = {"workflows.argoproj.io/workflow": workflow}
        metadata = {"name": name, "labels": labels, "annotations": {"workflows.argoproj.io/node-id": node_id}}
        container = {"name": "main", "image": "example.org/any"}
        spec = {"nodeName": self._node, "serviceAccountName": "odahu-argo-training", "containers": [container]}
        self._core.create_namespaced_pod(self._namespace, {"metadata": metadata, "spec": spec})
        return name

    def say(self, pod: str, *lines: str) -> None:
        with self._heard:
            self._lines[pod] += lines
            self._heard.notify_all()

    def end(self, pod: str) -> None:
        """Close the pod's log."""
        with self._heard:
            self._ended.add(pod)
            self._heard.notify_all()

    def read(self, pod: str, follow: bool) -> Iterator[str]:
        """Yield the existing lines or, with `follow`, all lines until the log is closed."""
        given = 0
        while True:
            with self._heard:
                while follow and pod not in self._ended and len(self._lines[pod]) == given:
                    self._heard.wait()
                new, is_over = self._lines[pod][given:], not follow or pod in self._ended
            yield from new
            given += len(new)
            if is_over:
                return


@contextmanager
def kubelet(api: client.ApiClient, namespace: str) -> Iterator[Kubelet]:
    """Run a fake kubelet and register its node in the cluster."""
    node = f"node-{uuid.uuid4().hex[:8]}"
    fake = Kubelet(api, namespace, node)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            pod = path.split("/")[3]
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in fake.read(pod, "follow=true" in query):
                text = f"{line}\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    core = client.CoreV1Api(api)
    core.create_node({"metadata": {"name": node}})
    status = {
        "addresses": [{"type": kind, "address": "127.0.0.1"} for kind in ("Hostname", "InternalIP", "ExternalIP")],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": server.server_port}},
    }
    core.patch_node_status(node, {"status": status})
    try:
        yield fake
    finally:
        core.delete_node(node)
        server.shutdown()
        server.server_close()
