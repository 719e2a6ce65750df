"""The `Cluster` protocol: operations of the Kubernetes API on plain JSON objects.

`client.KubeCluster` implements it for a real API server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, Protocol, TypeVar

Object = dict[str, Any]
"""A Kubernetes object as the API's JSON represents it. Its fields are not validated."""
T = TypeVar("T")
OnOpen = Callable[[Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object and its resource in the API. `group` is empty for the core API group."""

    name: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Return the value of an object's `apiVersion` field."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """Return the resource with its group, such as `workflows.argoproj.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def at_version(self, version: str) -> Kind:
        """Return the kind at another version of its API."""
        return replace(self, version=version)


WORKFLOW = Kind("Workflow", "workflows", "argoproj.io", "v1alpha1")
WORKFLOW_TEMPLATE = Kind("WorkflowTemplate", "workflowtemplates", "argoproj.io", "v1alpha1")
CRON_WORKFLOW = Kind("CronWorkflow", "cronworkflows", "argoproj.io", "v1alpha1")
CONFIG_MAP = Kind("ConfigMap", "configmaps")
SECRET = Kind("Secret", "secrets")
POD = Kind("Pod", "pods")
EVENT = Kind("Event", "events")
PERSISTENT_VOLUME_CLAIM = Kind("PersistentVolumeClaim", "persistentvolumeclaims")
SERVICE = Kind("Service", "services")
INGRESS = Kind("Ingress", "ingresses", "networking.k8s.io")
SERVICE_ACCOUNT = Kind("ServiceAccount", "serviceaccounts")
ROLE = Kind("Role", "roles", "rbac.authorization.k8s.io")
ROLE_BINDING = Kind("RoleBinding", "rolebindings", "rbac.authorization.k8s.io")
DEPLOYMENT = Kind("Deployment", "deployments", "apps")
DEPLOYMENT_ALL_NAMESPACES = Kind("Deployment", "deployments", "apps", namespaced=False)
"""Deployments of all namespaces. Supports `list` only."""
NAMESPACE = Kind("Namespace", "namespaces", namespaced=False)
NODE = Kind("Node", "nodes", namespaced=False)
STORAGE_CLASS = Kind("StorageClass", "storageclasses", "storage.k8s.io", namespaced=False)
CUSTOM_RESOURCE_DEFINITION = Kind(
    "CustomResourceDefinition", "customresourcedefinitions", "apiextensions.k8s.io", namespaced=False
)
WORKLOAD = Kind("Workload", "workloads", "kueue.x-k8s.io", "v1beta2")
LOCAL_QUEUE = Kind("LocalQueue", "localqueues", "kueue.x-k8s.io", "v1beta2")
CLUSTER_QUEUE = Kind("ClusterQueue", "clusterqueues", "kueue.x-k8s.io", "v1beta2", namespaced=False)
RESOURCE_FLAVOR = Kind("ResourceFlavor", "resourceflavors", "kueue.x-k8s.io", "v1beta2", namespaced=False)
WORKLOAD_PRIORITY_CLASS = Kind(
    "WorkloadPriorityClass", "workloadpriorityclasses", "kueue.x-k8s.io", "v1beta2", namespaced=False
)
SELF_SUBJECT_ACCESS_REVIEW = Kind(
    "SelfSubjectAccessReview", "selfsubjectaccessreviews", "authorization.k8s.io", namespaced=False
)
LOCAL_SUBJECT_ACCESS_REVIEW = Kind("LocalSubjectAccessReview", "localsubjectaccessreviews", "authorization.k8s.io")


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """The result of a list request, and the resource version to watch from."""

    items: Sequence[T]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """A change to an object. The object of a `bookmark` contains only the resource version reached."""

    type: Literal["added", "modified", "deleted", "bookmark"]
    object: Object


class Cluster(Protocol):
    """One namespace of a Kubernetes cluster. Cluster-scoped kinds are available through the same methods.

    Every method may raise `Forbidden` and `Unreachable`. `labels` and `fields` are equality selectors; a label with an
    empty value selects objects that have the label with any value.
    """

    @property
    def namespace(self) -> str:
        """Return the namespace that all methods use."""

    def get(self, kind: Kind, name: str) -> Object:
        """Return an object.

        Raises:
            NotFound: the object does not exist.
        """

    def list(
        self, kind: Kind, labels: Mapping[str, str] | None = None, fields: Mapping[str, str] | None = None
    ) -> Listing[Object]:
        """Return all matching objects, each with its `kind` and `apiVersion`."""

    def gather(
        self,
        kind: Kind,
        keep: Callable[[Object], T],
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Listing[T]:
        """Return `keep(object)` for all matching objects, with at most one page of objects in memory.

        If a page token expires while listing, the list starts over and calls `keep` again for every object.
        """

    def create(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """Create an object with strict field validation; with `dry_run`, only validate it.

        Raises:
            AlreadyExists: an object of this name exists.
            Rejected: the object is invalid.
        """

    def replace(self, kind: Kind, body: Object) -> Object:
        """Replace an object.

        Raises:
            NotFound: the object does not exist.
            Conflict: `metadata.resourceVersion` is not the current one.
            Rejected: the object is invalid.
        """

    def patch(self, kind: Kind, name: str, change: Object) -> Object:
        """Apply a JSON merge patch (RFC 7386).

        Raises:
            NotFound: the object does not exist.
            Rejected: the result is invalid.
        """

    def apply(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """Create or update an object by server-side apply as field manager `odahu-argo`, taking over conflicting fields.

        Raises:
            Rejected: the object is invalid.
        """

    def delete(self, kind: Kind, name: str, uid: str | None = None) -> None:
        """Delete an object and, in the background, its dependents.

        Raises:
            NotFound: the object does not exist.
            Conflict: the object has another `uid`.
        """

    def watch(
        self,
        kind: Kind,
        labels: Mapping[str, str] | None,
        resource_version: str,
        seconds: float | None = None,
        on_open: OnOpen | None = None,
    ) -> Iterator[WatchEvent]:
        """Yield changes after a resource version, until the server ends the stream or `seconds` have passed.

        The request starts with the first `next` and ends when the iterator is closed. `on_open` receives a function that ends
        it from another thread. `watch.watch` continues after the end.

        Raises:
            Expired: the resource version is too old.
        """

    def pod_log(self, pod: str, container: str, follow: bool = False, on_open: OnOpen | None = None) -> Iterator[str]:
        """Yield the lines of a container's log without line breaks.

        `on_open` receives a function that ends the log from another thread, also while it is silent.

        Raises:
            NotFound: the pod does not exist.
            Rejected: the container has not started.
        """
