"""Keys and permissions of Azure Blob Storage."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas, generate_container_sas

from odahu_argo.errors import UserError
from odahu_argo.storage.factory import open_store
from tests.servers.azure import ACCOUNT, KEY, Container
from tests.unit.storage.conftest import send

pytestmark = pytest.mark.usefixtures("step_runner")

HOST = f"{ACCOUNT}.blob.core.windows.net"
OTHER_KEY = "b" * 86 + "=="


def account_sas(hours: int = 1, key: str = KEY) -> str:
    expiry = datetime.now(UTC) + timedelta(hours=hours)
    rights = AccountSasPermissions(read=True, list=True, write=True, create=True)
    return generate_account_sas(ACCOUNT, key, ResourceTypes(container=True, object=True), rights, expiry)


def container_sas(container: Container, rights: str) -> str:
    expiry = datetime.now(UTC) + timedelta(hours=1)
    return generate_container_sas(ACCOUNT, container.name, KEY, permission=rights, expiry=expiry)


def connection_string(container: Container) -> str:
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={container.endpoint};"


def fetch(fields: dict[str, str]) -> bytes:
    store, path = open_store(fields)
    assert [entry.key for entry in store.list("")] == ["data/a.csv"]
    entry = store.stat(f"{path.rstrip('/')}/a.csv")
    assert entry
    return b"".join(store.read(entry))


Fields = Callable[[Container], dict[str, str]]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(lambda box: box.fields("data"), id="account-key"),
        pytest.param(lambda box: box.fields("data/", keySecret=account_sas()), id="token"),
        pytest.param(lambda box: box.fields("data", keySecret="?" + account_sas()), id="token-with-question-mark"),
        pytest.param(
            lambda box: box.fields("data", keySecret=f"{box.endpoint}/?{account_sas()}", endpoint=""), id="sas-url"
        ),
        pytest.param(
            lambda box: box.fields(uri=f"{box.name}/data", keySecret=f"{box.endpoint}/?{account_sas()}", endpoint=""),
            id="sas-url-and-the-container-alone-as-in-odahus-documentation",
        ),
        pytest.param(
            lambda box: box.fields("data", keySecret=f"{box.url('')}?{container_sas(box, 'rl')}", endpoint=""),
            id="sas-url-of-the-container",
        ),
        pytest.param(
            lambda box: box.fields(uri=f"{box.url('data')}?{account_sas()}", keySecret="", endpoint=""), id="sas-uri"
        ),
        pytest.param(
            lambda box: box.fields("data", keySecret=connection_string(box), endpoint=""), id="connection-string"
        ),
        pytest.param(
            lambda box: box.fields(uri=f"abfss://{box.name}@{ACCOUNT}.dfs.core.windows.net/data"), id="data-lake-uri"
        ),
        pytest.param(lambda box: box.fields(uri=f"wasbs://{box.name}@{HOST}/data"), id="hadoop-uri"),
        pytest.param(lambda box: box.fields(uri=box.url("data"), endpoint=""), id="uri-of-the-emulator"),
    ],
)
def test_forms_of_key_and_uri(container: Container, fields: Fields) -> None:
    container.put_all({"data/a.csv": b"content"})
    assert fetch(fields(container)) == b"content"


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(lambda box: OTHER_KEY, id="another-key"),
        pytest.param(lambda box: account_sas(hours=-1), id="expired"),
        pytest.param(lambda box: account_sas(key=OTHER_KEY), id="forged"),
        pytest.param(lambda box: container_sas(box, "r"), id="may-not-list"),
    ],
)
def test_refused_key_is_reported_without_showing_it(container: Container, secret: Callable[[Container], str]) -> None:
    key = secret(container)
    store, _ = open_store(container.fields(keySecret=key))
    # Azure itself says AuthenticationFailed to the first three, azurite AuthorizationFailure to all.
    with pytest.raises(UserError, match=f"cannot list {container.url('')}: access is denied .*Auth") as raised:
        list(store.list(""))
    signature = key.rpartition("sig=")[2].partition("&")[0]
    assert signature not in f"{raised.value} {store!r}"


def test_signature_of_a_uri_is_not_shown(container: Container) -> None:
    signed = f"{container.url('data')}?{account_sas(key=OTHER_KEY)}"
    store, path = open_store(container.fields(uri=signed, keySecret="", endpoint=""))
    with pytest.raises(UserError) as raised:
        list(store.list(path))
    assert "sig=" not in f"{raised.value} {store!r} {store.url(path)}"


def test_read_only_token_cannot_upload(container: Container) -> None:
    store, _ = open_store(container.fields(keySecret=container_sas(container, "rl")))
    with pytest.raises(UserError, match=r"(?s)cannot upload .*/a: access is denied .*Storage Blob Data Contributor"):
        send(store, b"a", "a")


def test_missing_key_without_azure_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(UserError, match=r"has no keySecret, and azure-identity.* is not installed"):
        open_store({"type": "azureblob", "uri": f"https://{HOST}/box"})


def test_folder_objects_are_not_listed(container: Container) -> None:
    container.put_all({"data/a.csv": b"content"})
    with container.client as client:
        client.upload_blob("data", b"", metadata={"hdi_isfolder": "true"})
    store, _ = open_store(container.fields())
    assert [entry.key for entry in store.list("")] == ["data/a.csv"]
    assert store.stat("data") is None
