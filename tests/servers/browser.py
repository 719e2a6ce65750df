"""A real browser, headless: Debian's chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.servers.programs import require_program

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = require_program("chromium")
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS) as found:
        yield found


@dataclass
class Visit:
    """A tab with a fresh profile; it records console errors and requests."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def hosts(self) -> set[str]:
        """Return the hosts of all requests."""
        return {urlsplit(address).netloc for address in self.requests}

    def text(self, selector: str = "body") -> str:
        return self.page.locator(selector).inner_text()

    def overflow(self) -> int:
        """Return the number of pixels by which the page is wider than the window."""
        root = "document.documentElement"
        return int(self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))

    def wait_for(self, selector: str, text: str) -> None:
        self.page.locator(selector).filter(has_text=text).first.wait_for(timeout=60_000)


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Open an address, with the token of its server if given. At the end, the console must not contain an error."""
    visits: list[Visit] = []
    with ExitStack() as open_contexts:

        def begin(address: str, width: int = 1280, token: str | None = None, **options: Any) -> Visit:
            if token:
                options["extra_http_headers"] = {"Authorization": f"Bearer {token}"}
            context = open_contexts.enter_context(
                browser.new_context(viewport={"width": width, "height": 800}, **options)
            )
            visit = Visit(context.new_page())
            visit.page.on(
                "console", lambda output: visit.complaints.append(output.text) if output.type == "error" else None
            )
            visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
            visit.page.on("request", lambda request: visit.requests.append(request.url))
            visit.page.goto(address)
            visits.append(visit)
            return visit

        yield begin
        complaints = [complaint for visit in visits for complaint in visit.complaints]
        assert complaints == [], complaints
