"""Rules for messages of Kubernetes and Argo about pods and workflows that do not start."""

from __future__ import annotations

import re

from odahu_argo.status.rules import (
    CONNECTION_HINT,
    EXCEEDED_QUOTA,
    MISSING_CONNECTION_SECRET,
    MISSING_SERVICE_ACCOUNT,
    SETUP_HINT,
    Rule,
    rule,
)

_POD_HINT = "check kubectl describe pod"
_IMAGE = r'(?>.*?[Ii]mage \\?"(?P<image>[^"\\]+))'
_PULL = r"^(?:Pod failed before \w+ container starts due to )?(?P<error>ImagePullBackOff|ErrImagePull|RegistryUnavailable)\b"


def _pending(pattern: str, reason: str, message: str, hint: str = "") -> Rule:
    """Return a rule that appends the original message."""
    return rule(pattern, reason, message + " ({quote})", hint)


PENDING_RULES: tuple[Rule, ...] = (
    _pending(
        r"^Unschedulable.*(?:unbound immediate PersistentVolumeClaims|persistentvolumeclaim .* not found)",
        "Unschedulable",
        "the pod of step {step} is waiting for the workspace: no volume is bound to its claim",
        "set workspace.storage_class in the profile to a class that provisions volumes; check kubectl get pvc,storageclass",
    ),
    _pending(
        r"^Unschedulable.*volume node affinity conflict",
        "Unschedulable",
        "the workspace's volume is in a zone without a suitable node for step {step}{requirements}",
        "set pools.other_steps: with_training in the profile to create the volume in the training's zone",
    ),
    _pending(
        r"^Unschedulable.*?Insufficient (?P<resource>[\w.-]+/[\w.-]*\w)",
        "Unschedulable",
        "no node has enough {resource} free for step {step}{requirements}",
        "wait for a free node, request less, or check whether any node can run the step: odahu-argo doctor",
    ),
    _pending(
        r"^Unschedulable.*?Insufficient (?P<resource>[\w-]+)",
        "Unschedulable",
        "no node has enough {resource} free for step {step}{requirements}",
        "wait for a free node, request less, or check whether any node can run the step: odahu-argo doctor",
    ),
    _pending(
        r"^Unschedulable.*didn't match Pod's node (?:affinity|selector)",
        "Unschedulable",
        "no node has the labels that step {step} requires{selector}",
        "compare the training's nodeSelector and the profile's pools with kubectl get nodes --show-labels",
    ),
    _pending(
        r"^Unschedulable.*untolerated taint",
        "Unschedulable",
        "the nodes that match step {step} have a taint that it does not tolerate",
        "set the tolerated taints in the profile's pools; compare them with kubectl describe nodes",
    ),
    _pending(
        r"^(?P<error>Unschedulable|SchedulingGated)",
        "{error}",
        "Kubernetes finds no node for step {step}{requirements}",
        "list the nodes and their resources: odahu-argo doctor",
    ),
    _pending(
        r"FailedToRetrieveImagePullSecret|[Uu]nable to retrieve some image pull secrets",
        "FailedToRetrieveImagePullSecret",
        "the pull secret for the image of step {step} does not exist",
        "create the Secret listed in the profile's image_pull_secrets: odahu-argo conn apply, with a docker connection",
    ),
    _pending(
        _PULL + rf"{_IMAGE}.*(?:unauthori[sz]ed|authentication required|denied|[Ff]orbidden|no basic auth|40[13])",
        "{error}",
        "the registry denied the cluster access to the image of step {step}, {image}",
        "check the image's name, and add a pull secret to image_pull_secrets in the profile",
    ),
    _pending(
        _PULL + rf"{_IMAGE}.*(?:not found|manifest unknown|does not exist|NotFound)",
        "{error}",
        "the image of step {step} does not exist: {image}",
        "correct the image's name and tag, or push it",
    ),
    _pending(
        _PULL + rf"{_IMAGE}.*(?:connection refused|no such host|i/o timeout|timeout|unreachable|dial tcp)",
        "{error}",
        "the registry of the image of step {step} is unreachable: {image}",
        "check the spelling of the registry, and that the nodes can reach it",
    ),
    _pending(
        _PULL + rf"{_IMAGE}?",
        "{error}",
        "the image of step {step} cannot be pulled: {image}",
        "correct the image's name and tag; a private registry needs image_pull_secrets in the profile",
    ),
    _pending(
        r'^InvalidImageName(?:[^"]*"(?P<image>[^"]+))?',
        "InvalidImageName",
        "the image name of step {step} is invalid: {image}",
        "correct the training's image, or the toolchain's defaultImage",
    ),
    _pending(
        r"^(?P<error>ErrImageNeverPull|ImageInspectError|SignatureValidationFailed)\b",
        "{error}",
        "the image of step {step} cannot be used on the node",
        "check kubectl describe pod, the image, and the cluster's image policies",
    ),
    _pending(
        rf"(?:MountVolume|FailedMount).*{MISSING_CONNECTION_SECRET}",
        "FailedMount",
        "the Secret of connection {connection}, which step {step} requires, does not exist",
        CONNECTION_HINT,
    ),
    _pending(
        MISSING_CONNECTION_SECRET,
        "{reason}",
        "the Secret of connection {connection}, which step {step} requires, does not exist",
        CONNECTION_HINT,
    ),
    _pending(
        r'^CreateContainerConfigError.*(?P<kind>secret|configmap) "(?P<name>[^"]+)" not found',
        "CreateContainerConfigError",
        "the {kind} {name}, which step {step} requires, does not exist",
        "create it, or correct its name in the profile (tracking.credentials_secret)",
    ),
    _pending(
        r"^CreateContainerConfigError.*couldn't find key (?P<key>\S+) in (?P<kind>\w+) (?P<name>\S+)",
        "CreateContainerConfigError",
        "the {kind} {name} has no key {key}, which step {step} requires",
        "add the key to the {kind}",
    ),
    _pending(
        r"^CreateContainerConfigError.*runAsNonRoot",
        "CreateContainerConfigError",
        "the image of step {step} runs as root, which trainings are not allowed to do",
        "set a numeric user in the image, or user_id in the profile",
    ),
    _pending(
        r"^(?P<error>CreateContainerConfigError|CreateContainerError|RunContainerError|CrashLoopBackOff)\b",
        "{error}",
        "the container of step {step} cannot be started",
        "check kubectl describe pod, and the image, Secrets and volumes of the step",
    ),
    _pending(
        r"(?:MountVolume|AttachVolume|FailedMount|FailedAttachVolume|Multi-Attach)",
        "FailedMount",
        "a volume of step {step} cannot be mounted",
        "check kubectl describe pod; a ReadWriteOnce workspace can be mounted on one node at a time",
    ),
    _pending(
        r"^Waiting for a PVC to be created",
        "PersistentVolumeClaim",
        "the training is waiting for Kubernetes to accept the workspace's volume claim",
        "check kubectl get pvc and kubectl describe quota",
    ),
    _pending(
        EXCEEDED_QUOTA,
        "ExceededQuota",
        "{pod} would exceed the quota {quota} of the namespace",
        "wait for other pods to finish, request less, or raise the quota: kubectl describe quota",
    ),
    _pending(
        r"^Waiting for \S*/(?P<kind>Mutex|Semaphore)/(?P<name>\S+) lock",
        "{kind}",
        "the training is waiting for another run to finish: {holder} has the lock {name}",
        "wait for that run to finish, or stop it",
    ),
    _pending(
        r"^Waiting (?:for \S+ lock|to acquire the synchronization lock)",
        "Synchronization",
        "the training is waiting for a lock of another run",
        "wait for that run to finish, or stop it",
    ),
    _pending(
        r"too many workflows are already running",
        "Postponed",
        "the training is queued: Argo already runs the maximum number of parallel workflows",
        "wait, or increase parallelism in the configuration of Argo's controller",
    ),
    _pending(
        r"^Pod auto-restarting due to (?P<error>\w+)",
        "{error}",
        "the pod of step {step} was lost before it started; Argo is recreating it",
    ),
    _pending(
        MISSING_SERVICE_ACCOUNT,
        "ServiceAccountNotFound",
        "the service account {account} of the training's pods does not exist",
        SETUP_HINT,
    ),
    _pending(r"^(?P<error>[A-Z][A-Za-z]{3,60})(?::|$)", "{error}", "the pod of step {step} has not started", _POD_HINT),
    _pending(r".", "Pending", "the pod of step {step} has not started", _POD_HINT),
)
"""Rules for messages of pending pods and workflows."""

NORMAL_START = re.compile(r"(?:PodInitializing|ContainerCreating|NotReady)?(?::.*)?", re.DOTALL)
"""Message of a pod that starts normally; may be empty."""
