"""Where a data set's runs on this machine leave everything: `<output>/<data set>/`."""

from __future__ import annotations

import dataclasses
import datetime
import time
from pathlib import Path
from typing import Any

from models.config import SettingsError

_MOST_SECONDS_AHEAD = 5


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
        """All of it."""
        return self.output / self.dataset

    @property
    def artifacts(self) -> str:
        """The pipeline's root."""
        return str(self.folder / "artifacts")

    @property
    def serving(self) -> str:
        """Where models are pushed to, one numbered folder each."""
        return str(self.folder / "serving")

    def await_new_version(self) -> None:
        """Waits until a model that is pushed gets a version of its own, the newest one.

        TFX's Pusher names a version by the second, and skips a push, in silence, where that version is there already.

        Raises:
            SettingsError: there is a version of the future.
        """
        versions = [int(path.name) for path in Path(self.serving).glob("*") if path.name.isdigit()]
        seconds = max(versions, default=0) + 1 - time.time()
        if seconds > _MOST_SECONDS_AHEAD:
            raise SettingsError(
                f"{self.serving}/{max(versions)} is a version of the future, which no other would replace; set this "
                "machine's clock right, or remove that version"
            )
        time.sleep(max(seconds, 0))

    @property
    def metadata(self) -> Path:
        """ML Metadata's SQLite file."""
        return self.folder / "metadata.sqlite"

    def connection(self) -> Any:
        """ML Metadata's connection; imports TFX."""
        from tfx.orchestration import metadata

        return metadata.sqlite_metadata_connection_config(str(self.metadata))

    def new_log(self) -> Path:
        """A log file for a run that begins now."""
        return self.folder / "logs" / f"{datetime.datetime.now():%Y%m%d-%H%M%S}.log"

    def check_writable(self) -> None:
        """Makes the folder. Raises SettingsError if it cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe = self.folder / ".writable"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise SettingsError(
                f"output folder {self.folder} cannot be written: {error.strerror}; choose another with OUTPUT="
            ) from error
