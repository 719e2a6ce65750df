"""Credentials by a user's `auth-provider` (oidc, gcp), which credential plug-ins have replaced.

The `kubernetes` package has them, and keeps a renewed token in the kubeconfig; to import it takes longer than all else that a
command does. Its messages may quote a whole user with the token, so none of them is passed on.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from odahu_argo.errors import Forbidden
from odahu_argo.kube.kubeconfig_entry import Unusable


class Provided:
    """Those of one context; `place` names the files, as KUBECONFIG does.

    Raises:
        Unusable: there are none.
    """

    def __init__(self, place: str, context: str, origin: str) -> None:
        from kubernetes import client, config

        self._origin = origin
        self._lock = threading.Lock()
        self._configuration = client.Configuration()
        try:
            config.load_kube_config(place, context, client_configuration=self._configuration)
        except Exception as error:
            raise Unusable(f"its auth-provider gives no credentials ({type(error).__name__})") from None
        if not self.headers():
            raise Unusable("its auth-provider is unknown, or gives no credentials")

    def headers(self) -> Mapping[str, str]:
        """See `Credentials`."""
        with self._lock:
            try:
                settings: Any = self._configuration.auth_settings()
            except Exception as error:
                what = f"the credentials of {self._origin} cannot be renewed ({type(error).__name__})"
                raise Forbidden(what, hint="log in again") from None
        return {each["key"]: str(each["value"] or "").strip() for each in settings.values() if each["in"] == "header"}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """See `Credentials`."""
        return self.headers() != refused
