"""The frame of every command on this machine: a lock, a console, and one line about whatever ends it early."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from models.config import SettingsError
from runners import failures
from runners.console import Console, console
from runners.local_home import LocalHome
from runners.metadata_file import last_execution
from runners.signals import Interrupted, Interruption

REFUSED, FAILED, NOT_PUSHED = 2, 1, 3  # exit codes: before anything ran; in a component; with --require-push

_RESUME = "Run again to go on; components that have finished come from the cache."


class Command:
    """A command while it runs.

    Attributes:
        home: the folder that it works in.
        terminal: where it reports.
        log: the file with the noise of libraries.
        last_execution: the highest execution id that the metadata knew at the start.
        check: raises Interrupted if a signal has come.
        outcome: a sentence about what was changed, for the message of a command that ends early.
    """

    def __init__(self, home: LocalHome, terminal: Console, log: Path, last: int):
        """Takes what `run_guarded` has made."""
        self.home, self.terminal, self.log, self.last_execution = home, terminal, log, last
        self._versions = home.versions()
        self._interruption = Interruption(lambda why: terminal.line(self._interrupted(why)))
        self.check = self._interruption.check
        self.outcome: Callable[[], str] = self._pushed

    def failed(self, failure: str) -> int:
        """Says what failed, and what was changed before; returns the exit code."""
        self.terminal.line(f"\nFAILED in {failure}\n{self.outcome()} The log has the details: {self.log}")
        return FAILED

    def run(self, body: Callable[[Command], int]) -> int:
        """Runs `body` and returns its exit code, or that of what ended it."""
        with self._interruption.handled():
            try:
                return body(self)
            except SettingsError as error:
                self.terminal.line(f"Error: {error}")
                return REFUSED
            except BaseException as error:
                why = self._interruption.received  # libraries turn its exception into others
                if why:
                    self.terminal.line(self._interrupted(why))
                    return why.exit_code
                if not isinstance(error, Exception):
                    raise
                traceback.print_exception(error)
                return self.failed(f"the runner: {failures.reason(error, self.home.folder)}")

    def _interrupted(self, why: Interrupted) -> str:
        failure = self.terminal.failure
        where = f" in {failure[0]}" if failure else ""
        return f"\nSTOPPED{where}: {why}. {self.outcome()} {_RESUME}"

    def _pushed(self) -> str:
        new = self.home.versions() - self._versions
        if not new:
            return "Nothing was pushed."
        return f"A model was pushed before that, to {self.home.serving}/{max(new, key=int)}."


def run_guarded(home: LocalHome, purpose: str, *, verbose: bool, body: Callable[[Command], int]) -> int:
    """Runs a command in the folder of a data set, which no other command works in at the same time.

    Args:
        home: the folder; it is writable.
        purpose: what the command is, for the message that another one gets.
        verbose: whether the noise of libraries goes to the terminal.
        body: does the work and returns the exit code.

    Returns:
        The exit code: that of `body`; 1 if it raised; 2 if it raised a SettingsError, or if the folder is in use or its
        metadata is damaged; 130 after Ctrl-C, 143 after SIGTERM.
    """
    try:
        with home.locked(purpose):
            last = last_execution(home)
            log = home.new_log()
            with console(log, verbose=verbose) as terminal:
                return Command(home, terminal, log, last).run(body)
    except SettingsError as error:
        print(f"Error: {error}", file=sys.stderr)
        return REFUSED
