"""Errors of MLflow's database in plain words."""

import re
from typing import Optional

_DETAILS = re.compile(r"\s*(\[SQL: |\[parameters: |\(Background on this error).*", re.DOTALL)
_EXCEPTION = re.compile(r"[\w.]+(Error|Exception|Fault)?: ")
_CAUSE = re.compile(r"\((sqlite3|psycopg2|psycopg|pymysql)\.[\w.]+\) ")
_HINTS = {
    "disk is full": "free disk space, then run the training again",
    "No space left on device": "free disk space, then run the training again",
    "database is locked": "another process has locked the database for long; end it, or run the training again",
    "readonly database": "check the permissions of the file and of its directory",
    "unable to open database file": "check the permissions of the file and of its directory",
}


def database_error_reason(text: str) -> str:
    """Return the message of an error without the SQL statement and the link that SQLAlchemy appends.

    The text is the message of an exception, or the traceback of a program that ended with it.
    """
    text = _DETAILS.sub("", text.strip())
    if "Traceback" not in text:
        return _CAUSE.sub("", text)
    line = text.rpartition("\n")[2]
    return _CAUSE.sub("", _EXCEPTION.sub("", line, count=1))


def database_error_hint(reason: str) -> Optional[str]:
    """Return how to fix a known error of a database, or None."""
    return next((hint for part, hint in _HINTS.items() if part in reason), None)
