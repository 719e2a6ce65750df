"""The keys and addresses of Azure Blob Storage, and what its server answers to wrong ones."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas, generate_container_sas

from odahu_argo.errors import UserError
from odahu_argo.storage.azure_address import read_address
from odahu_argo.storage.azure_answers import read_page
from odahu_argo.storage.factory import open_store
from tests.servers.azure import ACCOUNT, KEY, Container
from tests.unit.storage.conftest import send

pytestmark = pytest.mark.usefixtures("workplace")

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


def fetch(fields: dict[str, str], target: Path) -> bytes:
    store, path = open_store(fields)
    assert [entry.key for entry in store.list("")] == ["data/a.csv"]
    store.download(f"{path.rstrip('/')}/a.csv", target, lambda moved: None)
    return target.read_bytes()


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
def test_every_form_of_key_and_uri_opens_the_container(container: Container, tmp_path: Path, fields: Fields) -> None:
    container.put_all({"data/a.csv": b"content"})
    assert fetch(fields(container), tmp_path / "a") == b"content"


@pytest.mark.parametrize(
    ("uri", "account_url", "container", "path"),
    [
        ("https://acc.blob.core.windows.net/box", "https://acc.blob.core.windows.net", "box", ""),
        ("https://acc.blob.core.windows.net/box/", "https://acc.blob.core.windows.net", "box", ""),
        ("https://acc.blob.core.windows.net/box/a%20b/c", "https://acc.blob.core.windows.net", "box", "a b/c"),
        ("https://acc.dfs.core.windows.net/box/a", "https://acc.blob.core.windows.net", "box", "a"),
        ("abfs://box@acc.dfs.core.windows.net/a/b/", "https://acc.blob.core.windows.net", "box", "a/b/"),
        ("abfss://box@acc.dfs.core.chinacloudapi.cn", "https://acc.blob.core.chinacloudapi.cn", "box", ""),
        ("wasb://box@acc.blob.core.windows.net/a", "https://acc.blob.core.windows.net", "box", "a"),
        ("http://azurite:10000/acc/box/a", "http://azurite:10000/acc", "box", "a"),
    ],
)
def test_a_uri_names_account_container_and_path(uri: str, account_url: str, container: str, path: str) -> None:
    address = read_address({"uri": uri, "keySecret": KEY}, uri)
    assert (address.account_url, address.account) == (account_url, "acc")
    assert (address.container, address.path) == (container, path)


@pytest.mark.parametrize(
    ("secret", "account_url"),
    [
        (f"AccountName=acc;AccountKey={KEY}", "https://acc.blob.core.windows.net"),
        (
            f"DefaultEndpointsProtocol=https;AccountName=acc;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn",
            "https://acc.blob.core.chinacloudapi.cn",
        ),
        (f"BlobEndpoint=http://azurite:1/acc;AccountName=acc;AccountKey={KEY};", "http://azurite:1/acc"),
        ("BlobEndpoint=https://acc.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=x", "https://acc.blob.core.windows.net"),
    ],
)  # fmt: skip
def test_a_connection_string_names_the_account(secret: str, account_url: str) -> None:
    address = read_address({"uri": "box/a", "keySecret": secret}, "box/a")
    assert (address.account_url, address.account, address.container) == (account_url, "acc", "box")
    assert (address.account_key, address.sas) == ((KEY, "") if KEY in secret else ("", "sv=1&sig=x"))
    assert KEY not in repr(address)


def test_an_endpoint_without_a_scheme_is_asked_over_tls() -> None:
    address = read_address({"uri": "box/a", "keySecret": KEY, "endpoint": "acc.blob.core.windows.net/"}, "box/a")
    assert (address.account_url, address.account) == ("https://acc.blob.core.windows.net", "acc")


def test_a_sas_url_names_the_account_as_with_odahu() -> None:
    secret = "https://real.blob.core.windows.net/?sv=1&sig=c2VjcmV0"
    address = read_address({"uri": "https://any.blob.core.windows.net/box/a", "keySecret": secret}, "")
    assert (address.account_url, address.container) == ("https://real.blob.core.windows.net", "box")
    assert "c2VjcmV0" not in repr(address)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"uri": "s3://box/a"}, "names no container of Azure.*https://ACCOUNT"),
        ({"uri": "gs://box/a"}, "names no container of Azure.*https://ACCOUNT"),
        ({"uri": "abfss://acc.dfs.core.windows.net/box"}, "names no container of Azure.*abfss://CONTAINER@ACCOUNT"),
        ({"uri": f"https://{HOST}"}, "names an account, but no container"),
        ({"uri": "box/a", "keySecret": KEY}, "names a container, but no account.*give a SAS URL as keySecret"),
        ({"uri": f"https://{HOST}/box", "keySecret": "s3cret!"}, "keySecret has no form that .*an account key"),
        ({"uri": f"https://{HOST}/box", "keySecret": f"https://{HOST}/s3cret!"}, "URL without a signature"),
        ({"uri": f"https://{HOST}/box", "keySecret": "AccountKey=s3cret!;x"}, "connection string, but cannot be read"),
        (
            {"uri": f"https://{HOST}/box", "keySecret": "AccountName=a;AccountKey=s3cret!"},
            "connection string, but cannot",
        ),
        ({"uri": "https://[s3cret!/box?sig=s3cret!"}, "cannot be read"),
    ],
)
def test_a_wrong_form_is_told_with_the_right_one(fields: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=f"(?s){words}") as raised:
        open_store({"type": "azureblob", **fields})
    assert "s3cret!" not in str(raised.value).replace("https://[s3cret!", "")


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(lambda box: OTHER_KEY, id="another-key"),
        pytest.param(lambda box: account_sas(hours=-1), id="expired"),
        pytest.param(lambda box: account_sas(key=OTHER_KEY), id="forged"),
        pytest.param(lambda box: container_sas(box, "r"), id="may-not-list"),
    ],
)
def test_a_refused_key_is_the_users_mistake_and_is_not_shown(
    container: Container, secret: Callable[[Container], str]
) -> None:
    key = secret(container)
    store, _ = open_store(container.fields(keySecret=key))
    # Azure itself says AuthenticationFailed to the first three, azurite AuthorizationFailure to all.
    with pytest.raises(UserError, match=f"cannot list {container.url('')}: access is denied .*Auth") as raised:
        list(store.list(""))
    signature = key.rpartition("sig=")[2].partition("&")[0]
    assert signature not in f"{raised.value} {store!r}"


def test_the_signature_of_a_uri_is_not_shown(container: Container) -> None:
    signed = f"{container.url('data')}?{account_sas(key=OTHER_KEY)}"
    store, path = open_store(container.fields(uri=signed, keySecret="", endpoint=""))
    with pytest.raises(UserError) as raised:
        list(store.list(path))
    assert "sig=" not in f"{raised.value} {store!r} {store.url(path)}"


def test_a_read_only_token_cannot_upload(container: Container) -> None:
    store, _ = open_store(container.fields(keySecret=container_sas(container, "rl")))
    with pytest.raises(UserError, match=r"(?s)cannot upload .*/a: access is denied .*Storage Blob Data Contributor"):
        send(store, b"a", "a")


def test_without_key_and_azure_identity_it_is_told_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(UserError, match=r"has no keySecret, and azure-identity.* is not installed"):
        open_store({"type": "azureblob", "uri": f"https://{HOST}/box"})


def test_folders_that_an_account_lists_as_objects_are_none(container: Container) -> None:
    container.put_all({"data/a.csv": b"content"})
    with container.client as client:
        client.upload_blob("data", b"", metadata={"hdi_isfolder": "true"})
    store, _ = open_store(container.fields())
    assert [entry.key for entry in store.list("")] == ["data/a.csv"]
    assert store.stat("data") is None


def test_a_name_that_xml_has_no_characters_for_is_listed_as_it_is() -> None:
    """Azurite does not encode it; Azure's documentation of List Blobs does."""
    facts = "<Properties><Last-Modified>Mon, 27 Jul 2026 08:00:00 GMT</Last-Modified><Content-Length>3</Content-Length>"
    blob = f'<Blob><Name Encoded="true">a%EF%BF%BE%25</Name>{facts}</Properties></Blob>'
    page = read_page(f"<EnumerationResults><Blobs>{blob}</Blobs><NextMarker/></EnumerationResults>".encode())
    assert [(entry.key, entry.size) for entry in page.objects] == [("a\ufffe%", 3)]
    assert page.token is None
