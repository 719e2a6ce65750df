"""Forms of URI, endpoint and key for Azure Blob Storage."""

from __future__ import annotations

import pytest

from odahu_argo.errors import UserError
from odahu_argo.storage.azure_address import parse_address
from odahu_argo.storage.factory import open_store
from tests.servers.azure import ACCOUNT, KEY

HOST = f"{ACCOUNT}.blob.core.windows.net"


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
def test_account_container_and_path_of_a_uri(uri: str, account_url: str, container: str, path: str) -> None:
    address = parse_address({"uri": uri, "keySecret": KEY}, uri)
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
def test_account_of_a_connection_string(secret: str, account_url: str) -> None:
    address = parse_address({"uri": "box/a", "keySecret": secret}, "box/a")
    assert (address.account_url, address.account, address.container) == (account_url, "acc", "box")
    assert (address.account_key, address.sas) == ((KEY, "") if KEY in secret else ("", "sv=1&sig=x"))
    assert KEY not in repr(address)


def test_endpoint_without_scheme_uses_https() -> None:
    address = parse_address({"uri": "box/a", "keySecret": KEY, "endpoint": "acc.blob.core.windows.net/"}, "box/a")
    assert (address.account_url, address.account) == ("https://acc.blob.core.windows.net", "acc")


def test_account_of_a_sas_url_takes_precedence_as_in_odahu() -> None:
    secret = "https://real.blob.core.windows.net/?sv=1&sig=c2VjcmV0"
    address = parse_address({"uri": "https://any.blob.core.windows.net/box/a", "keySecret": secret}, "")
    assert (address.account_url, address.container) == ("https://real.blob.core.windows.net", "box")
    assert "c2VjcmV0" not in repr(address)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"uri": "s3://box/a"}, "contains no container of Azure.*https://ACCOUNT"),
        ({"uri": "gs://box/a"}, "contains no container of Azure.*https://ACCOUNT"),
        ({"uri": "abfss://acc.dfs.core.windows.net/box"}, "contains no container of Azure.*abfss://CONTAINER@ACCOUNT"),
        ({"uri": f"https://{HOST}"}, "contains an account, but no container"),
        ({"uri": "box/a", "keySecret": KEY}, "contains a container, but no account.*set keySecret to a SAS URL"),
        ({"uri": f"https://{HOST}/box", "keySecret": "s3cret!"}, "keySecret is not a key of .*an account key"),
        ({"uri": f"https://{HOST}/box", "keySecret": f"https://{HOST}/s3cret!"}, "URL without a signature"),
        ({"uri": f"https://{HOST}/box", "keySecret": "AccountKey=s3cret!;x"}, "connection string, but is incomplete"),
        (
            {"uri": f"https://{HOST}/box", "keySecret": "AccountName=a;AccountKey=s3cret!"},
            "connection string, but is incomplete",
        ),
        ({"uri": "https://[s3cret!/box?sig=s3cret!"}, "is malformed"),
    ],
)
def test_wrong_form_is_reported_with_the_right_one(fields: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=f"(?s){words}") as raised:
        open_store({"type": "azureblob", **fields})
    assert "s3cret!" not in str(raised.value).replace("https://[s3cret!", "")
