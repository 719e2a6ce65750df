"""What a failure was: the table of what Argo, Kubernetes and containers say of it."""

from __future__ import annotations

from odahu_argo.status.rules import ENDED, NO_ACCOUNT, QUOTA, SECRET_OF_A_CONNECTION, SETUP_HINT, Row, row

LOG_HINT = "read what it printed: odahu-argo train logs --id {id} --step {step}"
_RETRY_HINT = "odahu-argo train retry --id {id} goes on from step {step}"

FAILURES: tuple[Row, ...] = (
    row(
        r"^timeout$",
        "PendingTimeout",
        "{unstarted}",
        "{unstarted_hint}; the profile's pools.gpu.pending_timeout is the limit",
    ),
    row(
        r"^Stopped with strategy 'Terminate'|^workflow shutdown with strategy: +Terminate",
        "Terminated",
        "the training was terminated{during}",
        "odahu-argo train retry --id {id} goes on where it was",
    ),
    row(
        r"^Stopped with strategy|^workflow shutdown with strategy",
        "Stopped",
        "the training was stopped{during}",
        "odahu-argo train retry --id {id} goes on where it was",
    ),
    row(
        r"Step exceeded its deadline|exceeded workflow deadline|longer than the specified deadline|[Mm]ax duration limit",
        "DeadlineExceeded",
        "{outlasted}",
        "raise {setting} in the profile, or make it shorter; " + _RETRY_HINT,
    ),
    row(
        r"^pod deleted$",
        "PodDeleted",
        "the pod of step {step} was deleted from outside while it was at work",
        "a node was removed, or somebody deleted the pod; " + _RETRY_HINT,
    ),
    row(
        r"node shutdown|[Nn]ode is shutting down|NodeShutdown|NodeLost|node [^\n]{0,200}(?:lost|unreachable|not ready)",
        "NodeShutdown",
        "the node of step {step} was shut down or lost: {said}",
        _RETRY_HINT,
    ),
    row(
        r"low on resource: (?P<resource>[\w.-]*\w)",
        "Evicted",
        "the node of step {step} ran low on {resource} and evicted its pod: {said}",
        "ask for as much {resource} as the step needs (resources.requests); " + _RETRY_HINT,
    ),
    row(
        r"(?:ephemeral[ -](?:local )?storage|EmptyDir)[^\n]{0,200}exceeds",
        "Evicted",
        "step {step} wrote more to its container's disk than it may: {said}",
        "write to the workspace instead of the container's own disk",
    ),
    row(
        r"[Ee]vict|had condition: \[\w+\]",
        "Evicted",
        "the pod of step {step} was evicted from its node: {said}",
        _RETRY_HINT,
    ),
    row(
        r"[Pp]reempt",
        "Preempted",
        "the pod of step {step} had to make room for a more important one: {said}",
        _RETRY_HINT,
    ),
    row(
        r"^Pod was rejected|UnexpectedAdmissionError|^Pod .*cannot be admitted",
        "Rejected",
        "the node that was chosen for step {step} did not take its pod: {said}",
        "the node had less free than Kubernetes thought; " + _RETRY_HINT,
    ),
    row(
        r"OOMKilled",
        "OOMKilled",
        "step {step} used more memory than its limit{memory} and was ended",
        "raise resources.limits.memory of the training, or let it hold less in memory at a time",
    ),
    row(
        r"artifact storage is not configured",
        "NoArtifactRepository",
        "the log of step {step} cannot be archived: Argo has no artifact repository",
        "configure one for Argo's controller, or set archive_logs: false in the profile",
    ),
    row(
        r"outputs/parameters/(?P<path>\S+): no such file",
        "MissingOutput",
        "step {step} ended well but did not leave the result /{path}",
        "the step's program must write it; compiler and image may be of different versions of odahu-argo",
    ),
    row(
        r'workflowtaskresults\S* is forbidden: User "(?:system:serviceaccount:[^:"]*:)?(?P<account>[^"]+)"',
        "Forbidden",
        "the service account {account} may not report results to Argo: {said}",
        SETUP_HINT,
    ),
    row(
        r'failed to find name in PATH: exec: "(?P<program>[^"]*)"|exec: "(?P<program2>[^"]*)"',
        "{word}",
        "the image of step {step} has no program {program}{program2}",
        "the image needs Python 3.11 and odahu-argo[training]; docs/guides/images.md tells what it must hold",
    ),
    row(
        r"^WorkflowSpec may not change during execution",
        "TemplateChanged",
        "its WorkflowTemplate was changed while it ran, which templateReferencing: Secure of Argo's controller forbids",
        "what was changed runs as another workflow; to run this one again, delete it and bring its template back",
    ),
    row(
        r"^workflows must use workflowTemplateRef",
        "TemplateReferencing",
        "Argo's controller runs only workflows that refer to a WorkflowTemplate (templateReferencing)",
        "odahu-argo render writes such workflows, for kubectl apply -k, Argo CD or Flux",
    ),
    row(
        r"^workflowtemplates?\.argoproj\.io \"(?P<template>[^\"]*)\" not found",
        "TemplateNotFound",
        "the WorkflowTemplate {template} was not there when Argo looked for it",
        "apply templates before runs, and delete this workflow so that it is created again",
    ),
    row(
        r"^invalid spec: (?P<refusal>.*)",
        "InvalidSpec",
        "Argo does not accept the workflow: {refusal}",
        "compile it anew, with --validate; a workflow that was edited by hand may name what is not there",
    ),
    row(
        NO_ACCOUNT,
        "ServiceAccountNotFound",
        "the service account {account}, which trainings run as, is missing",
        SETUP_HINT,
    ),
    row(
        QUOTA,
        "ExceededQuota",
        "the namespace's quota {quota} has no room for {pod}: {said}",
        "ask for less, or raise the quota: kubectl describe quota",
    ),
    row(
        r"failed quota: (?P<quota>[^\s:]+): must specify (?P<what>[^\n]+?) for: (?P<containers>[^\n]+)",
        "ExceededQuota",
        "the namespace's quota {quota} wants {what} of every container, and {containers} of {pod} have none",
        "init and wait are Argo's: set resources of its executor (its controller's configuration), or a LimitRange",
    ),
    row(
        r"violates PodSecurity \"(?P<level>[^\"]+)\"",
        "Forbidden",
        "the namespace's Pod Security Standard {level} refuses {pod}: {said}",
        "leave restrict_executor on in the profile, or choose a namespace with a weaker standard",
    ),
    row(
        r"pvc create error|[Ss]torage ?[Cc]lass.*not found",
        "PersistentVolumeClaim",
        "the workspace's claim cannot be made: {said}",
        "see the profile's workspace: its size, access_mode and storage_class",
    ),
    row(
        r"^pods? \"[^\"]+\" is forbidden: (?P<refusal>.*)|^admission webhook (?P<refusal2>.*)",
        "Forbidden",
        "Kubernetes did not take {pod}: {refusal}{refusal2}",
        "a rule of the namespace or the cluster is against it; who runs the cluster knows it",
    ),
    row(
        SECRET_OF_A_CONNECTION,
        "{word}",
        "the Secret of connection {connection}, which step {step} reads, is missing",
        "odahu-argo conn apply -f FILE makes it of the connection's manifest",
    ),
    row(
        r"^Failed to acquire the synchronization lock",
        "Synchronization",
        "Argo could not take the lock that keeps two runs of one training apart: {said}",
        "see the controller's configuration of synchronization",
    ),
    row(
        r"^Pod failed before \w+ container starts due to (?P<why>\w+)",
        "{why}",
        "the container of step {step} was never started: {said}",
        "kubectl describe pod tells more; " + _RETRY_HINT,
    ),
    row(
        r"^(?P<container>wait|init|supervisor): (?P<why>\w+) \(exit code (?P<code>-?\d+)\)(?P<text>:.*)?",
        "{why}",
        "Argo's own container {container} failed beside step {step} (exit code {code}){text}",
        _RETRY_HINT,
    ),
    row(
        ENDED.replace(r"-?\d+", "137"),
        "{why}",
        "step {step} was killed (exit code 137){tried}",
        "most often the node or the container was out of memory; raise resources.limits.memory",
    ),
    row(
        ENDED.replace(r"-?\d+", "143"),
        "{why}",
        "step {step} was asked to end (exit code 143){tried}",
        "its node was drained, or the pod was deleted; " + _RETRY_HINT,
    ),
    row(
        ENDED.replace(r"-?\d+", "139"),
        "{why}",
        "step {step} crashed: a segmentation fault (exit code 139){tried}",
        LOG_HINT,
    ),
    row(ENDED, "{why}", "step {step} ended with exit code {code}{tried}", LOG_HINT),
    row(r".", "{word}", "step {step} failed: {said}", LOG_HINT),
    row(r"^$", "Error", "step {step} failed, and Argo does not say why", LOG_HINT),
)
"""For messages of pods that failed, and of a workflow that did."""
