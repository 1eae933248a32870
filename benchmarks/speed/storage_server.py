"""A local server of BigQuery's Storage Read API, for one table: a Parquet file, sent as Arrow over gRPC.

`python -m benchmarks.speed.storage_server TABLE.parquet` prints its port and serves until its standard input ends. It
implements only what a reader of a whole table needs: CreateReadSession and ReadRows, without filters or resuming.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
from google.cloud.bigquery_storage_v1 import types

SERVICE = "google.cloud.bigquery.storage.v1.BigQueryRead"
BATCH_ROWS = 4_096  # in one response, well below gRPC's limit of the service
_THREADS = 8


class TableServer:
    """Answers for one table; the streams share its row groups."""

    def __init__(self, path: Path):
        """Serves the Parquet file at `path`."""
        self._path = path
        self._row_groups = pq.ParquetFile(path).num_row_groups
        self._columns: list[str] = []
        self._streams = 1

    def create_read_session(self, request: types.CreateReadSessionRequest, context: grpc.ServicerContext) -> object:
        """The requested session: its columns, at most as many streams as row groups, the Arrow schema."""
        session = request.read_session
        self._columns = list(session.read_options.selected_fields)
        self._streams = max(1, min(request.max_stream_count or self._row_groups, self._row_groups))
        schema = pa.schema([self._schema().field(name) for name in self._columns])
        return types.ReadSession(
            name=f"{request.parent}/locations/us/sessions/1",
            table=session.table,
            data_format=types.DataFormat.ARROW,
            read_options=session.read_options,
            arrow_schema=types.ArrowSchema(serialized_schema=schema.serialize().to_pybytes()),
            streams=[types.ReadStream(name=str(stream)) for stream in range(self._streams)],
        )

    def read_rows(self, request: types.ReadRowsRequest, context: grpc.ServicerContext) -> Iterator[object]:
        """The rows of one stream, batch after batch."""
        groups = range(int(request.read_stream), self._row_groups, self._streams)
        batches = pq.ParquetFile(self._path).iter_batches(BATCH_ROWS, row_groups=list(groups), columns=self._columns)
        for batch in batches:
            ordered = pa.RecordBatch.from_arrays(
                [batch.column(batch.schema.get_field_index(name)) for name in self._columns], names=self._columns
            )
            content = types.ArrowRecordBatch(serialized_record_batch=ordered.serialize().to_pybytes())
            yield types.ReadRowsResponse(arrow_record_batch=content, row_count=batch.num_rows)

    def handler(self) -> grpc.GenericRpcHandler:
        """The service, for a gRPC server."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "CreateReadSession": grpc.unary_unary_rpc_method_handler(
                    self.create_read_session,
                    request_deserializer=types.CreateReadSessionRequest.deserialize,
                    response_serializer=types.ReadSession.serialize,
                ),
                "ReadRows": grpc.unary_stream_rpc_method_handler(
                    self.read_rows,
                    request_deserializer=types.ReadRowsRequest.deserialize,
                    response_serializer=types.ReadRowsResponse.serialize,
                ),
            },
        )

    def _schema(self) -> pa.Schema:
        return pq.read_schema(self._path)


def serve(path: Path) -> tuple[grpc.Server, int]:
    """Starts a server on a free port of this machine; returns it and the port."""
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((TableServer(path).handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main() -> None:
    """Serves until standard input ends, which also happens when the parent process ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="the Parquet file")
    server, port = serve(parser.parse_args().table)
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main()
