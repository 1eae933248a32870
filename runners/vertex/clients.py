"""Google's clients, all created here from the settings: project, region, credentials and endpoints."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from models.config import SettingsError
from pipeline.settings.run import BigQuerySettings
from runners.vertex.settings import VertexSettings

if TYPE_CHECKING:
    from google.api_core.operation import Operation
    from google.auth.credentials import Credentials
    from google.auth.transport.requests import AuthorizedSession
    from google.cloud import bigquery, storage
    from google.cloud.aiplatform_v1 import PipelineServiceClient, ScheduleServiceClient

SERVICES = ("aiplatform", "dataflow", "storage", "bigquery")  # services that --endpoint takes
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
#: Seconds after which a request to Google Cloud fails.
_TIMEOUT = 60
#: Seconds after which a long-running operation of Google Cloud fails.
_OPERATION = 120


class Clients:
    """Google's official clients. Each one is created, and credentials are looked up, on first use.

    Attributes:
        project: the project of the runs.
        region: the region of the runs.
        parent: projects/<project>/locations/<region>.
    """

    def __init__(
        self,
        settings: VertexSettings,
        *,
        endpoints: Mapping[str, str] | None = None,
        credentials: Credentials | None = None,
    ):
        """Stores the settings; nothing is connected yet.

        Args:
            settings: settings that name project, region and warehouse.
            endpoints: base URLs by service, such as {"aiplatform": "https://..."}, for private endpoints and local
                servers; `*` stands for all other services. By default Google's endpoints; for Vertex AI, the region's.
            credentials: credentials to use in place of the application default credentials.
        """
        self.project, self.region = settings.project, settings.region
        self.parent = f"projects/{settings.project}/locations/{settings.region}"
        self._warehouse = settings.warehouse
        self._endpoints = dict(endpoints or {})
        self._given_credentials = credentials

    def url(self, service: str) -> str:
        """Base URL of a service, such as `dataflow`, without a trailing slash."""
        host = f"{self.region}-aiplatform" if service == "aiplatform" else service
        given = self._endpoints.get(service, self._endpoints.get("*"))
        return (given or f"https://{host}.googleapis.com").rstrip("/")

    @functools.cached_property
    def credentials(self) -> Credentials:
        """The given credentials, or the application default ones. Raises GoogleAuthError."""
        if self._given_credentials is not None:
            return self._given_credentials
        import google.auth

        return google.auth.default(scopes=[_SCOPE])[0]

    @functools.cached_property
    def pipelines(self) -> PipelineServiceClient:
        """Client for runs on Vertex AI."""
        from google.cloud.aiplatform_v1 import PipelineServiceClient

        return PipelineServiceClient(**self._options("aiplatform"), transport="rest")

    @functools.cached_property
    def schedules(self) -> ScheduleServiceClient:
        """Client for schedules on Vertex AI."""
        from google.cloud.aiplatform_v1 import ScheduleServiceClient

        return ScheduleServiceClient(**self._options("aiplatform"), transport="rest")

    @functools.cached_property
    def storage(self) -> storage.Client:
        """Client for Cloud Storage."""
        from google.cloud import storage

        return storage.Client(project=self.project, **self._options("storage"))

    @functools.cached_property
    def bigquery(self) -> bigquery.Client:
        """Client for the warehouse's project, which pays for the jobs, in the warehouse's location."""
        from google.cloud import bigquery

        where = {"project": self.project}
        if isinstance(self._warehouse, BigQuerySettings):
            where = {"project": self._warehouse.project, "location": self._warehouse.location}
        return bigquery.Client(**where, **self._options("bigquery"))

    @functools.cached_property
    def session(self) -> AuthorizedSession:
        """HTTP session for services without a client here."""
        from google.auth.transport.requests import AuthorizedSession

        return AuthorizedSession(self.credentials)

    def call(
        self,
        method: str,
        service: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Sends one request to a service's REST API.

        Args:
            method: GET, POST, ...
            service: as in `url`.
            path: path with its leading slash.
            params: query parameters.
            body: JSON body.

        Returns:
            The response as JSON.

        Raises:
            GoogleAPICallError: the service refused.
            RequestException: the service could not be reached.
        """
        from google.api_core.exceptions import from_http_response

        response = self.session.request(method, self.url(service) + path, params=params, json=body, timeout=_TIMEOUT)
        if not response.ok:
            raise from_http_response(response)
        return response.json() if response.content else {}

    def finish(self, operation: Operation) -> None:
        """Waits for a long-running operation of Vertex AI.

        The client's own waiting polls a path of the console (/ui/...), so this polls the API instead.

        Raises:
            GoogleAPICallError: the operation failed, or took too long.
        """
        from google.api_core import exceptions

        state = {"done": operation.operation.done}
        until = time.monotonic() + _OPERATION
        while not state.get("done"):
            if time.monotonic() > until:
                raise exceptions.DeadlineExceeded(f"{operation.operation.name} is not done after {_OPERATION} seconds")
            state = self.call("GET", "aiplatform", f"/v1/{operation.operation.name}")
            if not state.get("done"):
                time.sleep(1)
        if "error" in state:
            raise exceptions.from_grpc_status(state["error"].get("code"), state["error"].get("message", ""))

    def _options(self, service: str) -> dict[str, Any]:
        return {"credentials": self.credentials, "client_options": {"api_endpoint": self.url(service)}}


def call_options(patience: float = 15, on_failure: Callable[[Exception], object] | None = None) -> dict[str, Any]:
    """`retry` and `timeout` for a client's method whose request may be repeated.

    Args:
        patience: seconds for which the request is retried while the service cannot be reached or is unavailable.
        on_failure: called with the error of each such attempt.
    """
    import requests
    from google.api_core import exceptions
    from google.api_core.retry import Retry, if_exception_type

    passing = (exceptions.ServiceUnavailable, exceptions.GatewayTimeout, requests.exceptions.ConnectionError)
    retry = Retry(if_exception_type(*passing), initial=0.5, maximum=20, timeout=patience, on_error=on_failure)
    return {"retry": retry, "timeout": _TIMEOUT}


def parse_endpoints(given: list[str]) -> dict[str, str]:
    """Endpoints by service from `service=URL` arguments. Raises SettingsError."""
    endpoints = {}
    for text in given:
        service, _, url = text.partition("=")
        if service not in (*SERVICES, "*") or not url.startswith(("https://", "http://")):
            raise SettingsError(f"--endpoint {text}: write <service>=<URL>; the services are {', '.join(SERVICES)}")
        endpoints[service] = url
    return endpoints
