"""Rules for messages of Argo, Kubernetes and containers about failed pods and workflows."""

from __future__ import annotations

from odahu_argo.status.rules import (
    CONNECTION_HINT,
    EXCEEDED_QUOTA,
    EXIT_CODE,
    MISSING_CONNECTION_SECRET,
    MISSING_SERVICE_ACCOUNT,
    SETUP_HINT,
    Rule,
    rule,
)

LOG_HINT = "read the step's log: odahu-argo train logs --id {id} --step {step}"
_RETRY_HINT = "resume from step {step}: odahu-argo train retry --id {id}"
_RETRY_FINISHED_HINT = "continue after step {step}, which is not repeated: odahu-argo train retry --id {id}"
_RETRY_STOPPED_HINT = "resume the training: odahu-argo train retry --id {id}"

FAILURE_RULES: tuple[Rule, ...] = (
    rule(
        r"^timeout$",
        "PendingTimeout",
        "{pending_timeout}",
        "{pending_timeout_hint}; the limit is pools.gpu.pending_timeout in the profile",
    ),
    rule(
        r"^queue timeout$",
        "QueueTimeout",
        "the training waited in queue {queue} longer than {queue_timeout}",
        "raise or remove queue_timeout in the profile, or set spec.queue or spec.priority; odahu-argo train retry --id {id}",
    ),
    rule(
        r"^Stopped with strategy 'Terminate'|^workflow shutdown with strategy: +Terminate",
        "Terminated",
        "the training was terminated{during}",
        _RETRY_STOPPED_HINT,
    ),
    rule(
        r"^Stopped with strategy|^workflow shutdown with strategy",
        "Stopped",
        "the training was stopped{during}",
        _RETRY_STOPPED_HINT,
    ),
    rule(
        r"Step exceeded its deadline|exceeded workflow deadline|longer than the specified deadline|[Mm]ax duration limit",
        "DeadlineExceeded",
        "{deadline}",
        "increase {deadline_setting} in the profile, or shorten the step; " + _RETRY_HINT,
    ),
    rule(
        r"^pod deleted$",
        "PodDeleted",
        "the pod of step {step} was deleted while it was running",
        "its node was removed, or a user deleted the pod; " + _RETRY_HINT,
    ),
    rule(
        r"node shutdown|[Nn]ode is shutting down|NodeShutdown|NodeLost|node [^\n]{0,200}(?:lost|unreachable|not ready)",
        "NodeShutdown",
        "the node of step {step} was shut down or lost: {quote}",
        _RETRY_HINT,
    ),
    rule(
        r"low on resource: (?P<resource>[\w.-]*\w)",
        "Evicted",
        "the node of step {step} ran low on {resource} and evicted the pod: {quote}",
        "request as much {resource} as the step needs (resources.requests); " + _RETRY_HINT,
    ),
    rule(
        r"(?:ephemeral[ -](?:local )?storage|EmptyDir)[^\n]{0,200}exceeds",
        "Evicted",
        "step {step} exceeded the limit on its container's local disk: {quote}",
        "write to the workspace instead of the container's file system",
    ),
    rule(
        r"[Ee]vict|had condition: \[\w+\]",
        "Evicted",
        "the pod of step {step} was evicted from its node: {quote}",
        _RETRY_HINT,
    ),
    rule(
        r"[Pp]reempt",
        "Preempted",
        "the pod of step {step} was preempted by a pod with a higher priority: {quote}",
        _RETRY_HINT,
    ),
    rule(
        r"^Pod was rejected|UnexpectedAdmissionError|^Pod .*cannot be admitted",
        "Rejected",
        "the node selected for step {step} rejected its pod: {quote}",
        "the node had fewer free resources than the scheduler expected; " + _RETRY_HINT,
    ),
    rule(
        r"OOMKilled",
        "OOMKilled",
        "step {step} exceeded its memory limit{memory} and was killed",
        "{memory_hint}",
    ),
    rule(
        r"artifact storage is not configured",
        "NoArtifactRepository",
        "step {step} finished, but its log cannot be archived: Argo has no artifact repository",
        "configure an artifact repository for Argo's controller, or set archive_logs: false in the profile; "
        + _RETRY_FINISHED_HINT,
    ),
    rule(
        r"outputs/parameters/(?P<path>\S+): no such file",
        "MissingOutput",
        "step {step} succeeded but did not write its result to /{path}",
        "check that the image and the compiler use the same version of odahu-argo",
    ),
    rule(
        r'workflowtaskresults\S* is forbidden: User "(?:system:serviceaccount:[^:"]*:)?(?P<account>[^"]+)"',
        "Forbidden",
        "the service account {account} is not allowed to report results to Argo: {quote}",
        SETUP_HINT,
    ),
    rule(
        r"^wait: \w+ \(exit code \d+\)(?:: (?P<cause>.*))?",
        "NotReported",
        "step {step} finished, but Argo's wait container could not archive its log or report its results: {cause}",
        "check Argo's artifact repository, or set archive_logs: false in the profile; " + _RETRY_FINISHED_HINT,
    ),
    rule(
        r'failed to find name in PATH: exec: "(?P<program>[^"]*)"|exec: "(?P<program2>[^"]*)"',
        "{reason}",
        "the image of step {step} does not contain the program {program}{program2}",
        "use an image with a shell, Python and MLflow, or with odahu-argo for a custom toolchain; see docs/guides/images.md",
    ),
    rule(
        r"^WorkflowSpec may not change during execution",
        "TemplateChanged",
        "the WorkflowTemplate changed during the run, which the controller's templateReferencing: Secure forbids",
        "to run the old version, restore the template and delete this workflow; a new workflow uses the new version",
    ),
    rule(
        r"^workflows must use workflowTemplateRef",
        "TemplateReferencing",
        "Argo's controller only runs workflows that refer to a WorkflowTemplate (templateReferencing)",
        "create such workflows with odahu-argo render, for kubectl apply -k, Argo CD or Flux",
    ),
    rule(
        r"^workflowtemplates?\.argoproj\.io \"(?P<template>[^\"]*)\" not found",
        "TemplateNotFound",
        "the WorkflowTemplate {template} did not exist when Argo started the workflow",
        "apply templates before runs; delete this workflow and apply it again",
    ),
    rule(
        r"^invalid spec: (?P<cause>.*)",
        "InvalidSpec",
        "Argo rejected the workflow: {cause}",
        "compile it again with --validate; if the workflow was edited by hand, check its references",
    ),
    rule(
        MISSING_SERVICE_ACCOUNT,
        "ServiceAccountNotFound",
        "the service account {account} of the training's pods does not exist",
        SETUP_HINT,
    ),
    rule(
        EXCEEDED_QUOTA,
        "ExceededQuota",
        "{pod} would exceed the quota {quota} of the namespace: {quote}",
        "lower the training's resources, or raise the quota: kubectl describe quota",
    ),
    rule(
        r"failed quota: (?P<quota>[^\s:]+): must specify (?P<what>[^\n]+?) for: (?P<containers>[^\n]+)",
        "ExceededQuota",
        "the quota {quota} of the namespace requires {what} on every container, but {containers} of {pod} have none",
        "for Argo's init and wait containers, set resources in the controller's configuration or create a LimitRange",
    ),
    rule(
        r"violates PodSecurity \"(?P<level>[^\"]+)\"",
        "Forbidden",
        "{pod} violates the Pod Security Standard {level} of the namespace: {quote}",
        "keep restrict_executor: true in the profile, or use a namespace with a less strict standard",
    ),
    rule(
        r"pvc create error|[Ss]torage ?[Cc]lass.*not found",
        "PersistentVolumeClaim",
        "the workspace's volume claim cannot be created: {quote}",
        "check size, access_mode and storage_class of workspace in the profile",
    ),
    rule(
        r"^pods? \"[^\"]+\" is forbidden: (?P<cause>.*)|^admission webhook (?P<cause2>.*)",
        "Forbidden",
        "Kubernetes rejected {pod}: {cause}{cause2}",
        "a policy of the namespace or the cluster forbids it; contact the cluster's administrator",
    ),
    rule(
        MISSING_CONNECTION_SECRET,
        "{reason}",
        "the Secret of connection {connection}, which step {step} requires, does not exist",
        CONNECTION_HINT,
    ),
    rule(
        r"^Failed to acquire the synchronization lock",
        "Synchronization",
        "Argo failed to acquire the lock that prevents parallel runs of one training: {quote}",
        "check the synchronization settings of Argo's controller",
    ),
    rule(
        r"^Pod failed before \w+ container starts due to (?P<error>\w+)",
        "{error}",
        "the container of step {step} did not start: {quote}",
        "check kubectl describe pod; " + _RETRY_HINT,
    ),
    rule(
        r"^(?P<container>wait|init|supervisor): (?P<error>\w+) \(exit code (?P<code>-?\d+)\)(?P<text>:.*)?",
        "{error}",
        "Argo's container {container} of step {step} failed (exit code {code}){text}",
        _RETRY_HINT,
    ),
    rule(
        EXIT_CODE.replace(r"-?\d+", "137"),
        "{error}",
        "step {step} was killed (exit code 137){attempts}",
        "the node or the container probably ran out of memory; increase resources.limits.memory",
    ),
    rule(
        EXIT_CODE.replace(r"-?\d+", "143"),
        "{error}",
        "step {step} was terminated by SIGTERM (exit code 143){attempts}",
        "its node was drained, or the pod was deleted; " + _RETRY_HINT,
    ),
    rule(
        EXIT_CODE.replace(r"-?\d+", "139"),
        "{error}",
        "step {step} crashed with a segmentation fault (exit code 139){attempts}",
        LOG_HINT,
    ),
    rule(EXIT_CODE, "{error}", "step {step} failed with exit code {code}{attempts}", LOG_HINT),
    rule(r".", "{reason}", "step {step} failed: {quote}", LOG_HINT),
    rule(r"^$", "Error", "step {step} failed; Argo reports no cause", LOG_HINT),
)
"""Rules for messages of failed pods and workflows."""
