"""Questions to a server of objects, and what its answers mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from odahu_argo.errors import UserError
from odahu_argo.storage.base import StoredObject
from odahu_argo.storage.paths import has_dots
from odahu_argo.storage.request import Answer, Broken
from odahu_argo.storage.server import Server

if TYPE_CHECKING:
    from xml.etree import ElementTree

_TURN = 0.5
_MAY_PASS = (401, 408, 429)
"""An SDK has a token renewed that is refused, and has patience."""
_BAD_AUTHORITIES = 77
"""CURLE_SSL_CACERT_BADFILE."""


class Refused(Exception):
    """The server's refusal, by HTTP status and the cloud's code, which is the status where there is no other."""

    def __init__(self, status: int, code: str) -> None:
        """Refused with this status and code."""
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code


class Unanswered(Exception):
    """It did not work here: the cloud's library knows more ways to ask, and more words for what is wrong."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, and the token to ask for the next with; None at the end."""

    objects: list[StoredObject]
    token: str | None


def all_pages(page: Callable[[str], Page]) -> list[StoredObject]:
    """The whole list, by what asks for the page of a token, that of the first being empty.

    Raises:
        Unanswered: a page says that it is followed by itself.
    """
    found: list[StoredObject] = []
    token: str | None = ""
    while token is not None:
        now = page(token)
        if now.token and now.token == token:
            raise Unanswered("the list does not go on")
        found += now.objects
        token = now.token
    return found


def object_of(key: str, headers: Mapping[str, str]) -> StoredObject:
    """The object of this key that these headers, by names in small letters, are about.

    Raises:
        Unanswered: they do not tell size and time.
    """
    from email.utils import parsedate_to_datetime

    try:
        modified = parsedate_to_datetime(headers["last-modified"]).timestamp()
        return StoredObject(key, int(headers["content-length"]), modified)
    except (KeyError, ValueError) as error:
        raise Unanswered(str(error)) from error


def root_of(body: bytes, name: str) -> ElementTree.Element:
    """The root of an answer in XML, whose name this has to be.

    Raises:
        Unanswered: it is something else.
    """
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise Unanswered(str(error)) from error
    if root.tag.rpartition("}")[2] != name:
        raise Unanswered(f"{root.tag} is no {name}")
    return root


def ask(server: Server, method: str, path: str) -> Answer:
    """The answer to a question.

    Raises:
        Refused: the server's answer is a refusal that stands.
        Unanswered: there is none, or one that may be another a little later, or leads elsewhere.
        UserError: the authorities that the machine trusts cannot be used.
    """
    if not is_for_libcurl(server, path):
        raise Unanswered(f"{server.url} is not for libcurl")
    ended: list[Answer | Broken] = []
    give_up = server.multi.begin(method, server.url + path, {}, ended.append)
    try:
        while not ended:
            server.multi.turn(_TURN)
    finally:
        give_up()
    match ended[0]:
        case Broken(number=number) as broken if number == _BAD_AUTHORITIES:
            raise UserError(
                f"the file of trusted authorities {server.trust.path} cannot be used: {broken}",
                hint=f"{server.trust.variable} names it",
            )
        case Broken() as broken:
            raise Unanswered(str(broken)) from broken
        case Answer(status=status) as answer if 400 <= status < 500 and status not in _MAY_PASS:
            raise Refused(status, _code(answer) or str(status))
        case Answer(status=200) as answer:
            return answer
        case other:
            raise Unanswered(str(other.status))


def is_for_libcurl(server: Server, path: str) -> bool:
    """Whether libcurl may be asked for that: it would follow the dots of a path as steps."""
    return server.is_usable and not has_dots(path.partition("?")[0])


def _code(answer: Answer) -> str | None:
    """The code that Azure gives in a header, and S3 and Azure in a body of XML."""
    from xml.etree import ElementTree

    if told := answer.headers.get("x-ms-error-code"):
        return told
    with suppress(ElementTree.ParseError):
        return ElementTree.fromstring(answer.body).findtext("{*}Code")
    return None
