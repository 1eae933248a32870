import threading

import pytest

from pipeline.warehouse.bigquery.streams import in_parallel


class Stream:
    """Numbers from `first`; records how many were taken, in which thread, and whether it was left."""

    def __init__(self, first, count, *, failing_at=None):
        self.first, self.count, self.failing_at = first, count, failing_at
        self.taken, self.thread, self.left = 0, None, threading.Event()

    def __call__(self):
        self.thread = threading.current_thread().name
        try:
            for i in range(self.count):
                if i == self.failing_at:
                    raise OSError(f"stream {self.first} broke")
                self.taken += 1
                yield self.first + i
        finally:
            self.left.set()


def test_all_items_each_stream_in_order():
    streams = [Stream(1000 * i, count) for i, count in enumerate((50, 0, 7, 200))]
    items = list(in_parallel(streams))
    for stream in streams:
        mine = [item for item in items if stream.first <= item < stream.first + 1000]
        assert mine == list(range(stream.first, stream.first + stream.count))
    assert len(items) == 257


def test_no_streams_no_items():
    assert list(in_parallel([])) == []


def test_streams_are_read_at_the_same_time():
    """Each waits for the others inside; one after the other they would never get past the barrier."""
    together = threading.Barrier(3, timeout=30)

    def stream(i):
        together.wait()
        yield i

    assert sorted(in_parallel([lambda i=i: stream(i) for i in range(3)])) == [0, 1, 2]


def test_a_slow_consumer_is_not_run_ahead_of():
    streams = [Stream(0, 1000), Stream(1000, 1000)]
    items = in_parallel(streams, waiting=3)
    seen = [next(items) for _ in range(10)]
    ahead = sum(stream.taken for stream in streams) - len(seen)
    assert ahead <= 3 + len(streams)
    items.close()
    assert sum(stream.taken for stream in streams) - len(seen) <= 3 + len(streams)


def test_a_consumer_that_stops_ends_the_threads():
    streams = [Stream(0, 10**9), Stream(1000, 10**9)]
    items = in_parallel(streams)
    next(items)
    items.close()
    assert all(stream.left.wait(10) for stream in streams)
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {stream.thread for stream in streams}


def test_an_error_comes_after_what_was_read_and_ends_the_others():
    broken, endless = Stream(0, 10, failing_at=3), Stream(1000, 10**9)
    seen = []
    with pytest.raises(OSError, match="stream 0 broke"):
        for item in in_parallel([broken, endless]):
            seen.append(item)
    assert [item for item in seen if item < 1000] == [0, 1, 2]
    assert endless.left.wait(10)
