"""The kinds of text that a profile's settings hold, each with what is right and how to mend what is not."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from odahu_argo import quantity
from odahu_argo.naming import ID_PATTERN, LABEL_PATTERN
from odahu_argo.uri import without_credentials
from odahu_argo.validation import Quantity, shaped

__all__ = ["UNLIMITED", "LabelKey", "LabelValue", "Name", "ServerUrl", "TrackingUri", "VolumeSize", "WaitLimit"]


_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def _wait_limit(text: str) -> str:
    if text != UNLIMITED and quantity.seconds(text) == 0:
        raise ValueError(f"must be longer than nothing, or {UNLIMITED}")
    return text


def _volume_size(text: str) -> str:
    if quantity.amount(text) < SMALLEST_VOLUME:
        raise ValueError(f"{text} are bytes; write for example {text}Gi")
    return text


def _tracking_uri(text: str) -> str:
    if text != "databricks" and not re.match(r"(https?|databricks|postgresql|mysql|mssql)(\+\w+)?://.", text):
        raise ValueError(f"{text!r} is no tracking server that pods can reach, such as http://mlflow.ml.svc:5000")
    if without_credentials(text) != text or "{{" in text or "$" in text:
        raise ValueError("must hold no credentials and no template; credentials belong in credentials_secret")
    return text


def _server_url(text: str) -> str:
    if not re.match(r"https?://[^/\s@]+(/|$)", text):
        raise ValueError(f"{without_credentials(text)!r} is no address of a server, such as https://argo.example.org")
    return text.rstrip("/")


UNLIMITED = "none"
SMALLEST_VOLUME = 2**20
Name = Annotated[str, shaped(ID_PATTERN, "is not a Kubernetes name: 1 to 63 lowercase letters, digits and '-'")]
LabelKey = Annotated[str, shaped(_LABEL_KEY, "is not a Kubernetes label name, such as node.example.org/pool")]
LabelValue = Annotated[str, shaped(LABEL_PATTERN, "is not a Kubernetes label value", may_be_empty=True)]
WaitLimit = Annotated[str, AfterValidator(_wait_limit)]
VolumeSize = Annotated[Quantity, AfterValidator(_volume_size)]
ServerUrl = Annotated[str, AfterValidator(_server_url)]
TrackingUri = Annotated[str, AfterValidator(_tracking_uri)]
