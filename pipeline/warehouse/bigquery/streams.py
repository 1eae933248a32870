"""Reads several streams at once, each in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")

WAITING = 4


def in_parallel(streams: Sequence[Callable[[], Iterable[Item]]], *, waiting: int = WAITING) -> Iterator[Item]:
    """Yields the items of all streams as they arrive, in order within each stream.

    At most `waiting` items are in memory, and one more per stream. When the consumer stops or a stream fails, the other
    streams end with their current item.

    Args:
        streams: each opens one stream, in the thread that reads it.
        waiting: how many items may wait for the consumer.

    Raises:
        Exception: a stream's first error, after the items that were read before it.
    """
    if not streams:
        return
    places = threading.Semaphore(waiting)
    arrived: queue.SimpleQueue[tuple[Item] | Future[None]] = queue.SimpleQueue()
    stopped = threading.Event()

    def follow(stream: Callable[[], Iterable[Item]]) -> None:
        for item in stream():
            places.acquire()
            if stopped.is_set():
                return
            arrived.put((item,))

    with ThreadPoolExecutor(len(streams), thread_name_prefix="stream") as pool:
        try:
            for stream in streams:
                pool.submit(follow, stream).add_done_callback(arrived.put)
            ended = 0
            while ended < len(streams):
                next_one = arrived.get()
                if isinstance(next_one, Future):
                    next_one.result()
                    ended += 1
                else:
                    places.release()
                    yield next_one[0]
        finally:
            stopped.set()
            places.release(len(streams))  # for those that wait for a place
