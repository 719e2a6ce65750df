"""Asking as somebody else: `as`, `as-uid`, `as-groups` and `as-user-extra` of a kubeconfig's user.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from odahu_argo.kube.kubeconfig_entry import Entry, Unusable


def impersonation(user: Entry) -> tuple[tuple[str, str], ...]:
    """The headers that each request carries for it, a name perhaps several times; none where the user is itself.

    Raises:
        Unusable: a group, uid or extra is given without a user, or a value cannot be sent.
    """
    headers = tuple(_headers(user))
    if headers and not user.text("as"):
        raise Unusable("it has as-uid, as-groups or as-user-extra, but no `as`")
    for _, value in headers:
        if not (value.isascii() and value.isprintable()):
            raise Unusable(f"it asks as {value!r}, which no request can carry")
    return headers


def _headers(user: Entry) -> Iterator[tuple[str, str]]:
    if user.text("as"):
        yield "Impersonate-User", user.text("as")
    if user.text("as-uid"):
        yield "Impersonate-Uid", user.text("as-uid")
    for group in user.texts("as-groups"):
        yield "Impersonate-Group", group
    extra = user.part("as-user-extra")
    for name in extra.values:
        for value in extra.texts(name):
            yield f"Impersonate-Extra-{quote(str(name).lower(), safe='')}", value
