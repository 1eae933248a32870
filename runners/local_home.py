"""The output folder of a data set on this machine: `<output>/<data set>/`."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.config import SettingsError
from runners import failures

_PATTERN = "*?[\\"  # TensorFlow finds the files of a model's variables by a pattern that begins with their folder


@dataclasses.dataclass(frozen=True)
class LocalHome:
    """The folder of one data set below the output.

    Attributes:
        output: the settings' output.
        dataset: the data set's name.
    """

    output: Path
    dataset: str

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return self.output / self.dataset

    @property
    def artifacts(self) -> str:
        """The pipeline's root."""
        return str(self.folder / "artifacts")

    @property
    def serving(self) -> str:
        """The serving folder, with one numbered folder per pushed model."""
        return str(self.folder / "serving")

    @property
    def score_table(self) -> Path:
        """The DuckDB database of the score table, where the warehouse is DuckDB."""
        return self.folder / "scores.duckdb"

    def versions(self) -> set[str]:
        """Names of the versions in the serving folder."""
        names = os.listdir(self.serving) if os.path.isdir(self.serving) else []
        return {name for name in names if name.isascii() and name.isdigit()}

    @property
    def metadata(self) -> Path:
        """ML Metadata's SQLite file."""
        return self.folder / "metadata.sqlite"

    def connection(self) -> Any:
        """ML Metadata's connection; imports TFX."""
        from tfx.orchestration import metadata

        return metadata.sqlite_metadata_connection_config(str(self.metadata))

    def new_log(self) -> Path:
        """A log file for a run that begins now; its folder is made.

        Raises:
            SettingsError: the folder cannot be made.
        """
        log = self.folder / "logs" / f"{datetime.datetime.now():%Y%m%d-%H%M%S}.log"
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_writable(error) from error
        return log

    def check_writable(self) -> None:
        """Makes the folder.

        Raises:
            SettingsError: it cannot be written, its serving folder is there and cannot be written, or TensorFlow could
                not load a model from it.
        """
        unfit = [character for character in _PATTERN if character in str(self.folder)]
        if unfit:
            raise SettingsError(
                f"output folder {self.folder}: TensorFlow reads {' and '.join(unfit)} in a path as a pattern, so it "
                "cannot load models from there. Choose another with OUTPUT=."
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for folder in (self.folder, Path(self.serving)):
                if folder == self.folder or folder.exists():
                    probe = folder / ".writable"
                    probe.write_text("probe")
                    probe.unlink()
        except OSError as error:
            raise self._not_writable(error) from error

    @contextlib.contextmanager
    def locked(self, purpose: str) -> Iterator[None]:
        """Keeps other runs and rollbacks out of the folder. The lock ends with the process, however it ends.

        Args:
            purpose: what this process does, for the message that the others get.

        Raises:
            SettingsError: another process has the lock; the message says which.
        """
        path = self.folder / ".lock"
        try:
            file = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise self._not_writable(error) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = path.read_text(encoding="utf-8").strip() or "another process"
                raise SettingsError(
                    f"{holder} is working in {self.folder}. Wait until it ends, then try again."
                ) from error
            except OSError as error:
                raise SettingsError(f"{path} cannot be locked: {error.strerror}; choose another OUTPUT=") from error
            with contextlib.suppress(OSError):  # a full disk: the lock holds without a note, too
                file.truncate(0)
                file.write(f"{purpose} (process {os.getpid()}, since {datetime.datetime.now():%Y-%m-%d %H:%M:%S})")
                file.flush()
            yield

    def _not_writable(self, error: OSError) -> SettingsError:
        if failures.is_disk_full(error):
            return SettingsError(f"output folder {self.folder}: {failures.reason(error, self.folder)}")
        where = f" ({error.filename})" if error.filename else ""
        return SettingsError(
            f"output folder {self.folder} cannot be written: {error.strerror}{where}. Choose another with OUTPUT=."
        )
