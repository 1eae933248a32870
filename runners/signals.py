"""Ctrl-C and SIGTERM end a run with one line and the usual exit code, whatever runs at that moment."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE_S = 20.0  # for the running component to stop


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end.

    Attributes:
        signal: which one.
    """

    def __init__(self, number: int):
        """Takes the signal's number."""
        self.signal = signal.Signals(number)
        super().__init__(f"interrupted by {self.signal.name}")

    @property
    def exit_code(self) -> int:
        """As shells report it: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + self.signal


class Interruption:
    """Turns signals into an exception, and into the end of the process if that is not enough.

    Attributes:
        received: the signal that has come, or None.
    """

    def __init__(self, on_forced_exit: Callable[[Interrupted], None]):
        """Takes what to call before the process is ended at once."""
        self._on_forced_exit = on_forced_exit
        self.received: Interrupted | None = None
        self._done = threading.Event()

    def check(self) -> None:
        """Raises Interrupted if a signal has come. Libraries turn its exception into others, or lose it."""
        if self.received is not None:
            raise self.received

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:  # asked twice
            self._exit()
        self.received = Interrupted(number)
        threading.Thread(target=self._wait, daemon=True).start()
        raise self.received

    def _wait(self) -> None:
        if not self._done.wait(_GRACE_S):
            self._exit()

    def _exit(self) -> None:
        assert self.received is not None
        with contextlib.suppress(OSError, RuntimeError):  # such as a terminal that is gone
            self._on_forced_exit(self.received)
        os._exit(self.received.exit_code)

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Raises Interrupted in the main thread at SIGINT, SIGTERM and SIGHUP.

        If the process has not left the context 20 seconds later, or if a second signal comes, it ends at once. A signal
        that the process was started to ignore, as by nohup, stays ignored.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        former = {number: signal.getsignal(number) for number in _SIGNALS}
        for number, handler in former.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._receive)
        try:
            yield
        finally:
            self._done.set()
            for number, handler in former.items():
                signal.signal(number, handler)


def end(code: int) -> None:
    """Ends the process; after an interruption without waiting for the threads of libraries."""
    if code > 128:
        os._exit(code)
    raise SystemExit(code)
