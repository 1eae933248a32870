"""A local BigQuery: bqemulator, in the environment that tests/emulator/environment.sh makes."""

import contextlib
import dataclasses
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

ENVIRONMENT = Path(os.environ.get("BIGQUERY_EMULATOR", ".build/emulator"))
START_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Emulator:
    """Where it listens, as host:port: `rest` for jobs and tables, `grpc` for the Storage Read API."""

    rest: str
    grpc: str

    def client(self, project):
        """The official client of jobs and tables, without credentials."""
        from google.api_core.client_options import ClientOptions
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        options = ClientOptions(api_endpoint=f"http://{self.rest}")
        return bigquery.Client(project=project, credentials=AnonymousCredentials(), client_options=options)

    def read_client(self):
        """The official client of the Storage Read API, without credentials."""
        import grpc
        from google.cloud import bigquery_storage
        from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

        channel = grpc.insecure_channel(self.grpc, options=[("grpc.max_receive_message_length", -1)])
        return bigquery_storage.BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def available() -> bool:
    """Whether the environment is there, and its Python too."""
    return (ENVIRONMENT / ".ready").exists() and (ENVIRONMENT / "bin" / "python").exists()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Emulator]:
    """Starts it on free ports, with nothing in it; `folder` gets its log. Stops it at the end."""
    environment = ENVIRONMENT.resolve()
    log = folder / "emulator.log"
    launcher = [environment / "bin" / "python", Path(__file__).with_name("launcher.py"), "start"]
    options = ["--rest-port=0", "--grpc-port=0", "--log-format=json", "--log-level=info"]
    variables = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(environment / "home"),  # with DuckDB's extensions
        "TMPDIR": str(folder),
    }
    with log.open("wb") as file:
        server = subprocess.Popen([*launcher, *options], stdout=file, stderr=subprocess.STDOUT, env=variables)
    try:
        yield _addresses(server, log)
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _addresses(server: subprocess.Popen, log: Path) -> Emulator:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        found = {}
        for line in log.read_text().splitlines():
            with contextlib.suppress(ValueError):  # a line that is no JSON
                record = json.loads(line)
                if record.get("event") in ("rest.listen", "grpc.listen"):
                    found[record["event"].partition(".")[0]] = f"{record['host']}:{record['port']}"
        if len(found) == 2:
            return Emulator(**found)
        time.sleep(0.1)
    raise RuntimeError(f"the BigQuery emulator did not start:\n{log.read_text()[-2000:]}")
