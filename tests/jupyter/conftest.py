"""The browser that opens pages."""

from tests.servers.browser import browser, visit

__all__ = ["browser", "visit"]
