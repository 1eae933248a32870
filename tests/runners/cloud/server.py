"""A local HTTP server that stands in for Google's APIs, and records every request.

Its routes are in support_vertex and support_services. Further ones are added with `FakeCloud.add`, and an error to come
with `FakeCloud.fail`.
"""

import collections
import contextlib
import datetime
import email
import http.server
import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Call:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    body: object
    headers: dict[str, str]


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, code: int, message: str, status: str = "", details: list | None = None):
        super().__init__(message)
        names = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ALREADY_EXISTS"}
        names |= {401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
        self.code, self.status = code, status or names.get(code, "UNKNOWN")
        self.document = {"error": {"code": code, "message": message, "status": self.status, "details": details or []}}


def denied(permission: str, resource: str) -> Refusal:
    """The refusal of an account that lacks a permission."""
    info = {"permission": permission, "resource": resource}
    detail = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "IAM_PERMISSION_DENIED",
        "domain": "iam.googleapis.com",
        "metadata": info,
    }
    message = f"Permission '{permission}' denied on resource '{resource}' (or it may not exist)."
    return Refusal(403, message, details=[detail])


def bad_field(name: str, problem: str) -> Refusal:
    """The refusal of a request's field."""
    violation = {"field": name, "description": problem}
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
    return Refusal(400, "List of found errors:\t1.Field: " + f"{name}; Message: {problem}\t", details=[detail])


_BEGIN = datetime.datetime(2026, 1, 5, 6)

Handler = Callable[["FakeCloud", re.Match, Call], object]
ROUTES: list[tuple[str, re.Pattern, Handler]] = []  # of every server


def route(method: str, pattern: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        ROUTES.append((method, re.compile(pattern), handler))
        return handler

    return register


@dataclass
class FakeCloud:
    """State of the services, by resource name, and what was asked of them.

    Attributes:
        calls: all requests, in order.
        runs, schedules: of Vertex AI, as its JSON has them.
        coming: what each further GET of a run changes in it, by the run's id.
        objects: of Cloud Storage: contents by bucket and name.
        tables: of BigQuery: names by (project, data set).
        dataflow: jobs of Dataflow.
    """

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    runs: dict[str, dict] = field(default_factory=dict)
    schedules: dict[str, dict] = field(default_factory=dict)
    coming: dict[str, list[dict]] = field(default_factory=lambda: collections.defaultdict(list))
    objects: dict[str, dict[str, bytes]] = field(default_factory=lambda: collections.defaultdict(dict))
    tables: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    dataflow: list[dict] = field(default_factory=list)
    _routes: list[tuple[str, re.Pattern, Handler]] = field(default_factory=lambda: list(ROUTES))
    _failures: list[tuple[str, re.Pattern, Refusal, int]] = field(default_factory=list)
    _clock: int = 0

    def add(self, method: str, pattern: str, handler: Handler) -> None:
        """Adds a route, before all others; its answer is JSON-ready, and Refusal an error."""
        self._routes.insert(0, (method, re.compile(pattern), handler))

    def fail(self, method: str, pattern: str, refusal: Refusal, times: int = 1) -> None:
        """Has the next `times` requests of a route refused."""
        self._failures.append((method, re.compile(pattern), refusal, times))

    def seen(self) -> list[tuple[str, str]]:
        """Method and path of each request."""
        return [(call.method, call.path) for call in self.calls]

    def answer(self, call: Call) -> object:
        """The answer to a request. Raises Refusal."""
        for position, (method, pattern, refusal, times) in enumerate(self._failures):
            if method == call.method and pattern.search(call.path):
                self._failures[position : position + 1] = [(method, pattern, refusal, times - 1)] if times > 1 else []
                raise refusal
        for method, pattern, handler in self._routes:
            match = pattern.fullmatch(call.path)
            if match and method == call.method:
                return handler(self, match, call)
        raise Refusal(501, f"no route {call.method} {call.path}")

    def now(self) -> str:
        """A moment later than the last one."""
        self._clock += 1
        return f"{_BEGIN + datetime.timedelta(seconds=self._clock):%Y-%m-%dT%H:%M:%SZ}"


@contextlib.contextmanager
def serving() -> Iterator[FakeCloud]:
    """A server on a free port of this machine."""
    cloud = FakeCloud()

    class Handle(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _go(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            path = urllib.parse.unquote(parts.path)
            query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
            call = Call(self.command, path, query, _body(raw, headers), headers)
            cloud.calls.append(call)
            try:
                code, document = 200, cloud.answer(call)
            except Refusal as refusal:
                code, document = refusal.code, refusal.document
            is_bytes = isinstance(document, bytes)
            data = document if is_bytes else json.dumps(document).encode()
            self.send_response(code)
            self.send_header("content-type", "application/octet-stream" if is_bytes else "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _go

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handle)
    server.daemon_threads = True
    cloud.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield cloud
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _body(raw: bytes, headers: dict[str, str]) -> object:
    """JSON where it is that; the parts of a multipart upload as (headers, bytes); else the bytes."""
    kind = headers.get("content-type", "")
    if not raw:
        return None
    if "multipart/related" in kind:
        message = email.message_from_bytes(f"content-type: {kind}\r\n\r\n".encode() + raw)
        return [(dict(part.items()), part.get_payload(decode=True)) for part in message.get_payload()]
    try:
        return json.loads(raw)
    except ValueError:
        return raw


def page(found: list, query: dict[str, str]) -> tuple[list, str]:
    """The part of a list that a request asks for, and the token of the next one; empty at the end."""
    start, size = int(query.get("pageToken") or 0), int(query.get("pageSize") or 100)
    return found[start : start + size], str(start + size) if found[start + size :] else ""
