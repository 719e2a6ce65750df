"""The Kubernetes API as far as trainings need it: a few verbs over plain objects, and the errors they end in.

Objects are dictionaries as the API's JSON has them, read leniently. One implementation speaks to a real API (`kube`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

Object = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object and where the API keeps it. `group` is empty for Kubernetes' core."""

    name: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As an object's `apiVersion` has it."""
        return f"{self.group}/{self.version}" if self.group else self.version


WORKFLOW = Kind("Workflow", "workflows", "argoproj.io", "v1alpha1")
WORKFLOW_TEMPLATE = Kind("WorkflowTemplate", "workflowtemplates", "argoproj.io", "v1alpha1")
CRON_WORKFLOW = Kind("CronWorkflow", "cronworkflows", "argoproj.io", "v1alpha1")
CONFIG_MAP = Kind("ConfigMap", "configmaps")
SECRET = Kind("Secret", "secrets")
POD = Kind("Pod", "pods")
EVENT = Kind("WatchEvent", "events")
CLAIM = Kind("PersistentVolumeClaim", "persistentvolumeclaims")
SERVICE = Kind("Service", "services")
INGRESS = Kind("Ingress", "ingresses", "networking.k8s.io")
SERVICE_ACCOUNT = Kind("ServiceAccount", "serviceaccounts")
ROLE = Kind("Role", "roles", "rbac.authorization.k8s.io")
ROLE_BINDING = Kind("RoleBinding", "rolebindings", "rbac.authorization.k8s.io")
DEPLOYMENT = Kind("Deployment", "deployments", "apps")
DEPLOYMENT_ANYWHERE = Kind("Deployment", "deployments", "apps", namespaced=False)
"""Of all namespaces together: to be listed only."""
NAMESPACE = Kind("Namespace", "namespaces", namespaced=False)
NODE = Kind("Node", "nodes", namespaced=False)
STORAGE_CLASS = Kind("StorageClass", "storageclasses", "storage.k8s.io", namespaced=False)
DEFINITION = Kind("CustomResourceDefinition", "customresourcedefinitions", "apiextensions.k8s.io", namespaced=False)
ACCESS_REVIEW = Kind("SelfSubjectAccessReview", "selfsubjectaccessreviews", "authorization.k8s.io", namespaced=False)
LOCAL_ACCESS_REVIEW = Kind("LocalSubjectAccessReview", "localsubjectaccessreviews", "authorization.k8s.io")


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """All objects that were asked for, or what was kept of each, and the version from which a watch can go on."""

    items: Sequence[T]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change. `bookmark` says no more than how far the watch has come."""

    type: Literal["added", "modified", "deleted", "bookmark"]
    object: Object


class Cluster(Protocol):
    """A cluster, seen through one namespace. Every method may raise `Forbidden` and `Unreachable`.

    Kinds without a namespace are reached by the same methods. `labels` select objects that have all of them; an empty
    value asks only that the label is there.
    """

    @property
    def namespace(self) -> str:
        """The namespace that all methods work in."""

    def get(self, kind: Kind, name: str) -> Object:
        """The object; NotFound where there is none."""

    def list(
        self, kind: Kind, labels: Mapping[str, str] | None = None, fields: Mapping[str, str] | None = None
    ) -> Listing[Object]:
        """Every object with these labels and, where the API selects by them, these values of fields; each says its `kind` and
        `apiVersion`."""

    def gather(self, kind: Kind, keep: Callable[[Object], T], labels: Mapping[str, str] | None = None) -> Listing[T]:
        """What `keep` makes of each object with these labels. No more than a page of objects is held at once; where pages
        expire while they are read, `keep` is asked again, from the first object."""

    def create(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """Create it with fields checked strictly; with `dry_run` only see whether the API would. AlreadyExists, Rejected."""

    def replace(self, kind: Kind, body: Object) -> Object:
        """Put it in place of the object of its name; Conflict where its `resourceVersion` is no longer the newest."""

    def patch(self, kind: Kind, name: str, change: Object) -> Object:
        """Merge the change into it (RFC 7386). NotFound, Rejected."""

    def apply(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """Server-side apply by the field manager `odahu-argo`: create it or bring it up to date. Rejected.

        Fields that another manager has set are taken over.
        """

    def delete(self, kind: Kind, name: str, uid: str | None = None) -> None:
        """Delete it and, in the background, what it owns. NotFound; Conflict where it is not the one of that `uid`."""

    def watch(
        self, kind: Kind, labels: Mapping[str, str] | None, resource_version: str, seconds: float | None = None
    ) -> Iterator[WatchEvent]:
        """Changes after that version, until the API ends the stream, at the latest after `seconds`. Expired, Unreachable.

        It is one request, opened with the first `next` and closed with the iterator; `status.watch` goes on after its end.
        """

    def pod_log(self, pod: str, container: str, follow: bool = False) -> Iterator[str]:
        """The lines that a container has printed, without line breaks. NotFound; Rejected while it has not started."""
