"""Describes errors of Google's services in one line that says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from runners.vertex.iam import load_roles

_REQUEST = re.compile(r"^(?:\d{3} )?(?:(?:POST|GET|PUT|PATCH|DELETE) \S+: )?")
_PERMISSION = re.compile(r"(?<![\w@.-])([a-z]+\.[A-Za-z]+\.[A-Za-z]+)(?![\w@]|\.\w)")
_ACTS_AS = re.compile(r"permission to act as service.account:? ?(\S+@\S+)")


def handled() -> tuple[type[Exception], ...]:
    """The errors that `describe` explains. Imports Google's libraries."""
    import requests
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    return GoogleAPIError, GoogleAuthError, requests.exceptions.RequestException


def describe(error: Exception, *, project: str, region: str) -> str:
    """One line about a failed call: what the service said, and what to do.

    Args:
        error: one of `handled()`.
        project: project of the settings.
        region: region of the settings.
    """
    import requests
    from google.api_core import exceptions
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

    if isinstance(error, exceptions.RetryError) and isinstance(error.cause, Exception):
        return describe(error.cause, project=project, region=region)
    if isinstance(error, DefaultCredentialsError):
        return (
            "found no Google credentials; run `gcloud auth application-default login`, or set "
            "GOOGLE_APPLICATION_CREDENTIALS to a service account's key file"
        )
    if isinstance(error, GoogleAuthError):
        return f"Google refused the credentials ({_one_line(error)}); run `gcloud auth application-default login`"
    if isinstance(error, requests.exceptions.RequestException):
        return f"cannot reach {_host(error)} ({type(error).__name__}); check the network, the proxy and --endpoint"
    said = _one_line(error)
    if isinstance(error, exceptions.Unauthenticated | exceptions.Unauthorized):
        return f"{said}; run `gcloud auth application-default login`"
    if isinstance(error, exceptions.Forbidden):
        return _forbidden(error, said, project)
    if isinstance(error, exceptions.NotFound):
        return f"{said}; check the name, and project '{project}' and region '{region}' in the settings"
    if isinstance(error, exceptions.Conflict):
        return f"{said}; perhaps an earlier attempt succeeded: run `status`"
    if isinstance(error, exceptions.TooManyRequests):
        return f"{said}; wait and try again, or request more quota for project '{project}' in region '{region}'"
    if isinstance(error, exceptions.BadRequest):
        fields = [f"{field}: {problem}" for field, problem in _violations(error)]
        return f"the service refused the request: {'; '.join(fields) or said}"
    if isinstance(error, exceptions.ServerError):
        return f"{said}; the service itself failed: try again, and see status.cloud.google.com"
    return said


def _forbidden(error: Any, said: str, project: str) -> str:
    info = _info(error, "ErrorInfo")
    metadata = info.get("metadata", {})
    if info.get("reason") == "SERVICE_DISABLED":
        service = metadata.get("service", "the service")
        return f"{service} is not enabled; run `gcloud services enable {service} --project {project}`"
    permission, where = metadata.get("permission"), metadata.get("resource") or f"project '{project}'"
    if acts_as := _ACTS_AS.search(said):
        permission, where = "iam.serviceAccounts.actAs", acts_as[1]
    elif not permission and (found := _PERMISSION.search(said)):
        permission = found[1]
    if not permission:
        return f"{said}; see the roles in docs/vertex.md"
    return (
        f"your account lacks the permission {permission} on {where}; ask for {_role_with(permission)} (docs/vertex.md)"
    )


def _role_with(permission: str) -> str:
    """The deployer's role that contains a permission, and the resource to grant it on."""
    grants = [grant for grant in load_roles().account("deployer").grants if permission in grant.permissions]
    return (
        " or ".join(f"{grant.role} on the {grant.resource.removeprefix('the ')}" for grant in grants)
        or "a role that has it"
    )


def _violations(error: Any) -> Iterator[tuple[str, str]]:
    for violation in _info(error, "BadRequest").get("fieldViolations", []):
        yield violation.get("field", "request"), violation.get("description", "")


def _info(error: Any, kind: str) -> dict[str, Any]:
    """A detail of the error by its type, as JSON; empty if the service sent none."""
    for detail in getattr(error, "details", None) or []:
        if isinstance(detail, dict) and detail.get("@type", "").endswith(f".{kind}"):
            return detail
        if type(detail).__name__ == kind:
            from google.protobuf import json_format

            return json_format.MessageToDict(detail)
    return {}


def _one_line(error: Exception) -> str:
    text = getattr(error, "message", None) or (error.args[0] if error.args else "") or type(error).__name__
    return _REQUEST.sub("", " ".join(str(text).split())).rstrip(".")


def _host(error: Any) -> str:
    from urllib.parse import urlsplit

    url = getattr(getattr(error, "request", None), "url", None)
    return urlsplit(url).netloc if url else "the service"
