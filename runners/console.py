"""Shows a few lines on the terminal, and sends the noise of TFX, Beam and TensorFlow to a log file."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

# Loggers: progress of a long component (the newest record is shown every few seconds) and trials of a search (each is
# shown). Their parent takes the package's warnings.
PROGRESS_LOGGER, TRIALS_LOGGER = "propensity.progress", "propensity.trials"
_PROGRESS_SECONDS = 10.0


class Console:
    """Writes one line per component as it ends, and progress lines while a long one runs.

    Attributes:
        warnings: all warnings shown.
        failure: the first component that raised, and its exception.
    """

    def __init__(self, stream: TextIO):
        """Writes to `stream`."""
        self._stream = stream
        self._lock = threading.RLock()  # a signal may interrupt the thread that holds it
        self._node: str | None = None
        self._detail = ""
        self.warnings: list[str] = []
        self.failure: tuple[str, BaseException] | None = None

    def line(self, text: str = "") -> None:
        """Writes a line."""
        with self._lock:
            self._stream.write(text + "\n")
            self._stream.flush()

    @contextlib.contextmanager
    def component(self, node: str) -> Iterator[list[str]]:
        """Times a component. The remarks that the body appends to the yielded list are shown after the duration."""
        remarks: list[str] = []
        self._node, self._detail, started = node, "", time.monotonic()
        ended = threading.Event()
        heart = threading.Thread(target=self._beat, args=(node, started, ended), daemon=True)
        heart.start()
        try:
            yield remarks
        except BaseException as error:
            self.failure = self.failure or (node, error)
            self.line(f"  {node:<20} {time.monotonic() - started:7.1f} s  failed")
            raise
        else:
            remark = "; ".join(remarks or ([self._detail] if self._detail else []))
            self.line(f"  {node:<20} {time.monotonic() - started:7.1f} s  {remark}".rstrip())
        finally:
            ended.set()
            heart.join()
            self._node = None

    def _beat(self, node: str, started: float, ended: threading.Event) -> None:
        while not ended.wait(_PROGRESS_SECONDS):
            self.line(f"    {node}: {time.monotonic() - started:.0f} s, {self._detail or 'running'}")

    def progress(self, text: str) -> None:
        """Takes the newest state of the running component, to be shown with its next progress line."""
        if self._node is None:
            self.line(f"  {text}")
        self._detail = text

    def warn(self, text: str) -> None:
        """Shows a warning."""
        self.warnings.append(text)
        self.line(f"    warning: {text}")


class _ConsoleHandler(logging.Handler):
    """Shows the records of this package: progress as state, warnings as lines."""

    def __init__(self, console: Console):
        super().__init__(logging.INFO)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == PROGRESS_LOGGER:
            self._console.progress(record.getMessage())
        elif record.name == TRIALS_LOGGER:
            self._console.line(f"    {record.getMessage()}")
        elif record.levelno >= logging.WARNING:
            self._console.warn(record.getMessage())


@contextlib.contextmanager
def console(log: Path, *, verbose: bool) -> Iterator[Console]:
    """Sends standard output and error to `log`, except for the Console's own lines.

    Args:
        log: the file; its folder is made. Output that no longer fits on its disk is dropped.
        verbose: leaves output on the terminal, and the file empty.

    Yields:
        The Console, on the terminal.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    package = logging.getLogger("propensity")
    with contextlib.ExitStack() as stack:
        terminal = stack.enter_context(os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace"))
        if not verbose:
            stack.enter_context(_redirected(log))
        shown = Console(terminal)
        handler = _ConsoleHandler(shown)
        package.addHandler(handler)
        package.setLevel(logging.INFO)
        stack.callback(package.removeHandler, handler)
        yield shown


class _LossyFile(io.FileIO):
    """A file that drops what does not fit: a full disk must not fail what is only logged."""

    def write(self, data: bytes | bytearray | memoryview) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


@contextlib.contextmanager
def _redirected(log: Path) -> Iterator[None]:
    """Points Python's streams, and the file descriptors 1 and 2 that C++ libraries write to, to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    with io.TextIOWrapper(io.BufferedWriter(_LossyFile(log, "a")), encoding="utf-8", line_buffering=True) as file:
        try:
            for descriptor in saved:
                os.dup2(file.fileno(), descriptor)
            with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                yield
        finally:
            for descriptor, original in saved.items():
                os.dup2(original, descriptor)
                os.close(original)
