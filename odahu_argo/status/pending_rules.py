"""What keeps a pod, or a whole workflow, from beginning: the table of what Kubernetes and Argo say of it."""

from __future__ import annotations

import re

from odahu_argo.status.rules import NO_ACCOUNT, QUOTA, SECRET_OF_A_CONNECTION, SETUP_HINT, Row, row

_POD_HINT = "kubectl describe pod tells more"
_IMAGE = r'(?>.*?[Ii]mage \\?"(?P<image>[^"\\]+))'
_PULL = (
    r"^(?:Pod failed before \w+ container starts due to )?(?P<why>ImagePullBackOff|ErrImagePull|RegistryUnavailable)\b"
)


def _held(pattern: str, reason: str, sentence: str, hint: str = "") -> Row:
    """With what was said behind the plain sentence."""
    return row(pattern, reason, sentence + " ({said})", hint)


HELD_UP: tuple[Row, ...] = (
    _held(
        r"^Unschedulable.*(?:unbound immediate PersistentVolumeClaims|persistentvolumeclaim .* not found)",
        "Unschedulable",
        "the pod of step {step} waits for the workspace: no volume is there for its claim",
        "see kubectl get pvc,storageclass; the profile's workspace.storage_class names a class that makes volumes",
    ),
    _held(
        r"^Unschedulable.*volume node affinity conflict",
        "Unschedulable",
        "the workspace's volume is in a zone where no node fits step {step}{asking}",
        "the profile's pools.other_steps: with_training makes the volume where the training's nodes are",
    ),
    _held(
        r"^Unschedulable.*?Insufficient (?P<resource>[\w.-]+/[\w.-]*\w)",
        "Unschedulable",
        "no node has enough {resource} free for step {step}{asking}",
        "wait until one is free, ask for less, or see whether any node could ever hold it: odahu-argo doctor",
    ),
    _held(
        r"^Unschedulable.*?Insufficient (?P<resource>[\w-]+)",
        "Unschedulable",
        "no node has enough {resource} free for step {step}{asking}",
        "wait until there is room, ask for less, or see whether any node could ever hold it: odahu-argo doctor",
    ),
    _held(
        r"^Unschedulable.*didn't match Pod's node (?:affinity|selector)",
        "Unschedulable",
        "no node has the labels that step {step} asks for{labels}",
        "compare the training's nodeSelector and the profile's pools with kubectl get nodes --show-labels",
    ),
    _held(
        r"^Unschedulable.*untolerated taint",
        "Unschedulable",
        "the nodes that step {step} could run on are kept for others by a taint",
        "the profile's pools name the taints that a step tolerates; compare kubectl describe nodes",
    ),
    _held(
        r"^(?P<why>Unschedulable|SchedulingGated)",
        "{why}",
        "Kubernetes finds no node for step {step}{asking}",
        "see which nodes there are and what they hold: odahu-argo doctor",
    ),
    _held(
        r"FailedToRetrieveImagePullSecret|[Uu]nable to retrieve some image pull secrets",
        "FailedToRetrieveImagePullSecret",
        "the secret that the image of step {step} is pulled with is missing",
        "make the Secret that the profile's image_pull_secrets names: odahu-argo conn apply, with a docker connection",
    ),
    _held(
        _PULL + rf"{_IMAGE}.*(?:unauthori[sz]ed|authentication required|denied|[Ff]orbidden|no basic auth|40[13])",
        "{why}",
        "the registry does not let the cluster pull the image of step {step}, {image}",
        "see that the image's name is right, and name a pull secret in the profile's image_pull_secrets",
    ),
    _held(
        _PULL + rf"{_IMAGE}.*(?:not found|manifest unknown|does not exist|NotFound)",
        "{why}",
        "the image of step {step} does not exist: {image}",
        "correct the image's name and tag, or push it",
    ),
    _held(
        _PULL + rf"{_IMAGE}.*(?:connection refused|no such host|i/o timeout|timeout|unreachable|dial tcp)",
        "{why}",
        "the registry of the image of step {step} cannot be reached: {image}",
        "see that the image's registry is spelled right and that the nodes can reach it",
    ),
    _held(
        _PULL + rf"{_IMAGE}?",
        "{why}",
        "the image of step {step} cannot be pulled: {image}",
        "correct the image's name and tag; a private registry needs image_pull_secrets in the profile",
    ),
    _held(
        r'^InvalidImageName(?:[^"]*"(?P<image>[^"]+))?',
        "InvalidImageName",
        "the image of step {step} has a name that no registry can have: {image}",
        "correct the training's image, or the toolchain's defaultImage",
    ),
    _held(
        r"^(?P<why>ErrImageNeverPull|ImageInspectError|SignatureValidationFailed)\b",
        "{why}",
        "the image of step {step} cannot be used on the node",
        "kubectl describe pod tells more; look at the image and at the cluster's rules for images",
    ),
    _held(
        rf"(?:MountVolume|FailedMount).*{SECRET_OF_A_CONNECTION}",
        "FailedMount",
        "the Secret of connection {connection}, which step {step} reads, is missing",
        "odahu-argo conn apply -f FILE makes it of the connection's manifest",
    ),
    _held(
        SECRET_OF_A_CONNECTION,
        "{word}",
        "the Secret of connection {connection}, which step {step} reads, is missing",
        "odahu-argo conn apply -f FILE makes it of the connection's manifest",
    ),
    _held(
        r'^CreateContainerConfigError.*(?P<kind>secret|configmap) "(?P<name>[^"]+)" not found',
        "CreateContainerConfigError",
        "the {kind} {name}, which step {step} reads, is missing",
        "make it, or correct its name in the profile (tracking.credentials_secret)",
    ),
    _held(
        r"^CreateContainerConfigError.*couldn't find key (?P<key>\S+) in (?P<kind>\w+) (?P<name>\S+)",
        "CreateContainerConfigError",
        "the {kind} {name} has no key {key}, which step {step} reads",
        "add the key to it",
    ),
    _held(
        r"^CreateContainerConfigError.*runAsNonRoot",
        "CreateContainerConfigError",
        "the image of step {step} wants to run as root, which trainings may not",
        "give the image a user that is a number, or set the profile's user_id",
    ),
    _held(
        r"^(?P<why>CreateContainerConfigError|CreateContainerError|RunContainerError|CrashLoopBackOff)\b",
        "{why}",
        "the container of step {step} cannot be started",
        "kubectl describe pod tells more; look at image, Secrets and volumes of the step",
    ),
    _held(
        r"(?:MountVolume|AttachVolume|FailedMount|FailedAttachVolume|Multi-Attach)",
        "FailedMount",
        "a volume of step {step} cannot be mounted",
        "see kubectl describe pod; a ReadWriteOnce workspace is held by one node at a time",
    ),
    _held(
        r"^Waiting for a PVC to be created",
        "PersistentVolumeClaim",
        "the training waits for the workspace's claim, which Kubernetes does not take yet",
        "see kubectl get pvc and kubectl describe quota",
    ),
    _held(
        QUOTA,
        "ExceededQuota",
        "the namespace's quota {quota} has no room for {pod}",
        "wait until other pods have ended, ask for less, or raise the quota: kubectl describe quota",
    ),
    _held(
        r"^Waiting for \S*/(?P<kind>Mutex|Semaphore)/(?P<name>\S+) lock",
        "{kind}",
        "the training waits until another run has ended: the lock {name} is held by {holder}",
        "wait until it has ended, or stop it",
    ),
    _held(
        r"^Waiting (?:for \S+ lock|to acquire the synchronization lock)",
        "Synchronization",
        "the training waits for a lock that another run holds",
        "wait until it has ended, or stop it",
    ),
    _held(
        r"too many workflows are already running",
        "Postponed",
        "the training waits for its turn: Argo carries out as many workflows as it is set to",
        "wait, or raise the controller's parallelism",
    ),
    _held(
        r"^Pod auto-restarting due to (?P<why>\w+)",
        "{why}",
        "the pod of step {step} was lost before it began, and Argo starts it again",
    ),
    _held(
        NO_ACCOUNT,
        "ServiceAccountNotFound",
        "the service account {account}, which trainings run as, is missing",
        SETUP_HINT,
    ),
    _held(r"^(?P<why>[A-Z][A-Za-z]{3,60})(?::|$)", "{why}", "the pod of step {step} has not begun", _POD_HINT),
    _held(r".", "Pending", "the pod of step {step} has not begun", _POD_HINT),
)
"""For messages of pods that are pending, and of a workflow that is."""

STARTING = re.compile(r"(?:PodInitializing|ContainerCreating|NotReady)?(?::.*)?", re.DOTALL)
"""What a pod that begins in the usual way says, or nothing."""
