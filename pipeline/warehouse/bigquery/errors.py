"""BigQuery's errors in one line that says what to do and shows no values of the data."""

from __future__ import annotations

import re

from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError

_VALUE = re.compile(r"\b(value|date|datetime|timestamp|time): .*|'[^']*'|\"[^\"]*\"", re.DOTALL)
_REQUEST = re.compile(r"^(?:\d{3} )?(?:POST|GET|DELETE|PATCH|PUT) \S+: ")


def describe(error: Exception) -> str:
    """One line about an error of a call, and what to do about it."""
    text = getattr(error, "message", None) or str(error)
    text = _REQUEST.sub("", str(text)).strip()
    # A job's error repeats its text after the reason.
    first = text.splitlines()[0].partition("; reason: ")[0] if text else type(error).__name__
    if isinstance(error, GoogleAuthError):
        return f"no usable credentials ({first}); run `gcloud auth application-default login` or use a service account"
    if isinstance(error, exceptions.NotFound):
        where = "a data set must be in warehouse.location, " if "location" in first else ""
        names = "warehouse.project, source, features_dataset and scores_dataset"
        return f"{first}; {where}see {names} of the run's settings"
    if isinstance(error, exceptions.Forbidden):
        if "quota" in first.lower():
            return f"{first}; wait, or raise the project's quota"
        return f"{first}; grant the account that permission (roles: BigQuery Job User, Data Viewer, Read Session User)"
    if isinstance(error, exceptions.Conflict):
        return f"{first}; another run uses it or left it behind: drop it, or wait until it expires"
    if "bytes billed" in first:
        return f"{first}; raise warehouse.max_gib, or read fewer days"
    if isinstance(error, exceptions.BadRequest):
        return _VALUE.sub(lambda match: f"{match[1]}: (value)" if match[1] else "(value)", first)
    return first
