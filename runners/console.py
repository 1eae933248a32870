"""What a person sees: a few lines on the terminal, while the log noise of TFX, Beam and TensorFlow goes to a file."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

# Steps of a long component, of which the newest is shown from time to time; trials of a search, of which each one is;
# the package's warnings go to their parent.
PROGRESS_LOGGER, TRIALS_LOGGER = "propensity.progress", "propensity.trials"
_PROGRESS_SECONDS = 10.0


class Console:
    """Writes one line per component as it ends, and progress lines while a long one runs.

    Attributes:
        warnings: what was warned of.
        failure: the first component that raised, and what.
    """

    def __init__(self, stream: TextIO):
        """Writes to `stream`."""
        self._stream = stream
        self._lock = threading.Lock()
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
        """Times a component; what the body puts into the yielded list is shown behind the duration."""
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
        """Takes the newest state of the running component; it is shown with the next sign of life."""
        if self._node is None:
            self.line(f"  {text}")
        self._detail = text

    def warn(self, text: str) -> None:
        """Shows a warning at once."""
        self.warnings.append(text)
        self.line(f"    warning: {text}")


class _ConsoleHandler(logging.Handler):
    """Shows the package's own records: progress as state, warnings as lines."""

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
    """Sends everything that is written to standard output and error to `log`, but for the Console's own lines.

    Args:
        log: the file; its folder is made.
        verbose: leaves output where it is, so that the terminal shows all of it and the file stays empty.

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


@contextlib.contextmanager
def _redirected(log: Path) -> Iterator[None]:
    """Points Python's streams and the file descriptors 1 and 2, where C++ libraries write, to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    with log.open("a", encoding="utf-8", buffering=1) as file:
        try:
            for descriptor in saved:
                os.dup2(file.fileno(), descriptor)
            with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                yield
        finally:
            for descriptor, original in saved.items():
                os.dup2(original, descriptor)
                os.close(original)
