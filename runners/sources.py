"""What `DATA=` of `make init` names (a file, a folder, a BigQuery table or data set), and the command that runs it."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path

import yaml

from models.config import SettingsError, load_settings
from pipeline.proposal.export_kind import kind_of_folder
from pipeline.proposal.names import table_name
from pipeline.settings.run import BigQuerySettings, DuckDBSettings, RunSettings
from pipeline.warehouse.duckdb.files import is_text, table_files
from pipeline.warehouse.interface import WarehouseError

#: Memory for DuckDB's buffers while a table is profiled.
PROFILING_MEMORY = "400MB"
FEATURES_DATASET = "propensity"  # proposed for the features tables of a BigQuery source
DEFAULT_SETTINGS = Path("runners/local.yaml")
_BIGQUERY = re.compile(
    r"(?P<project>[a-z][a-z0-9-]{4,61}[a-z0-9])\.(?P<dataset>[A-Za-z0-9_]+)(?:\.(?P<table>[\w-]+\*?))?"
)


@dataclasses.dataclass(frozen=True)
class Source:
    """What is profiled.

    Attributes:
        shown: how messages name it.
        run: the settings with which it is opened.
        table: the name by which a query reads it; None for an export, a folder or data set of daily tables.
        is_text: whether it is a text file.
        settings_text: the text of a settings file that `make run` needs for it; None if it needs none.
        settings_path: the settings that were given.
    """

    shown: str
    run: RunSettings
    table: str | None
    is_text: bool
    settings_path: Path
    settings_text: str | None = None

    @property
    def is_export(self) -> bool:
        """Whether it is a Google Analytics export."""
        return self.table is None

    def next_command(self, dataset: str, folder: Path) -> str:
        """The command that trains on it."""
        parts = [f"make run DATASET={dataset}"]
        if self.run.data is not None:
            parts.append(f"DATA={_for_make(str(self.run.data))}")
        settings = folder / "run.yaml" if self.settings_text is not None else self.settings_path
        if settings != DEFAULT_SETTINGS:
            parts.append(f"SETTINGS={_for_make(str(settings))}")
        return " ".join(parts)


def find_source(data: str | None, settings_path: Path, dataset: str) -> Source:
    """What `DATA=` names.

    Args:
        data: as it was typed; None if it was not.
        settings_path: the settings of runs.
        dataset: the name of the data set to make.

    Raises:
        SettingsError: there is no such thing, or nothing was named.
        WarehouseError: the file or folder is not one that can be read.
    """
    run = load_settings(settings_path, RunSettings)
    data = data or (str(run.data) if run.data else None)
    if not data:
        raise SettingsError(
            "DATA= is missing: name a CSV or Parquet file, a folder, or a BigQuery table as project.dataset.table"
        )
    if Path(data).exists():
        return _local(Path(data), run, settings_path, dataset)
    found = _BIGQUERY.fullmatch(data)
    if found is None and isinstance(run.warehouse, BigQuerySettings):
        found = _BIGQUERY.fullmatch(f"{run.warehouse.source}.{data}")
    if found is None or data.lower().endswith((".csv", ".tsv", ".txt", ".parquet", ".gz", ".zip")):
        raise SettingsError(
            f"DATA={data}: no such file or folder, and no BigQuery table (project.dataset.table) or data set "
            "(project.dataset)"
        )
    return _in_bigquery(found, run, settings_path)


def _local(path: Path, run: RunSettings, settings_path: Path, dataset: str) -> Source:
    warehouse = run.warehouse if isinstance(run.warehouse, DuckDBSettings) else DuckDBSettings(engine="duckdb")
    warehouse = warehouse.model_copy(update={"memory_limit": PROFILING_MEMORY})
    settings = settings_path if isinstance(run.warehouse, DuckDBSettings) else DEFAULT_SETTINGS
    run = run.model_copy(update={"warehouse": warehouse, "data": path})
    if path.is_dir() and kind_of_folder(path) is not None:
        return Source(str(path), run, None, False, settings)
    files = table_files(path)
    stem = path.name.partition(".")[0] if path.is_file() else path.resolve().name
    return Source(str(path), run, table_name(stem, dataset), is_text(files[0]), settings)


def _in_bigquery(found: re.Match[str], run: RunSettings, settings_path: Path) -> Source:
    source = f"{found['project']}.{found['dataset']}"
    table = found["table"]
    if table is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", table):
        if table.endswith("*"):
            raise SettingsError(
                f"DATA={found[0]}: a wildcard is not one table; name the data set {source}, or make a view"
            )
        raise SettingsError(
            f"DATA={found[0]}: query.sql can read only tables named with letters, digits and underscores; make a view"
        )
    shown = found[0]
    if isinstance(run.warehouse, BigQuerySettings):
        if run.warehouse.source == source:
            return Source(shown, run, table, False, settings_path)
        warehouse = run.warehouse.model_copy(update={"source": source})
    else:
        warehouse = BigQuerySettings(
            engine="bigquery",
            project=found["project"],
            location=_location(found["project"], found["dataset"]),
            source=source,
            features_dataset=FEATURES_DATASET,
        )
    run = run.model_copy(update={"warehouse": warehouse, "data": None})
    return Source(shown, run, table, False, settings_path, _settings_text(run, shown))


def _location(project: str, dataset: str) -> str:
    """Where a data set is. Raises WarehouseError if BigQuery does not tell."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import bigquery

    from pipeline.warehouse.bigquery.errors import describe

    try:
        return str(bigquery.Client(project=project).get_dataset(f"{project}.{dataset}").location)
    except (GoogleAPIError, GoogleAuthError) as error:
        raise WarehouseError(f"BigQuery: {describe(error)}") from None


def _settings_text(run: RunSettings, shown: str) -> str:
    """Settings for `make run`, like those that were given but for the source."""
    document = run.model_dump(mode="json", exclude_defaults=True)
    document.pop("data", None)
    return (
        f"# How the pipeline runs on {shown}.\n"
        "# Features tables are made in the data set `warehouse.features_dataset`, which must exist.\n"
        + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    )


def _for_make(text: str) -> str:
    """A value as a shell and make take it."""
    return shlex.quote(text).replace("$", "$$")
