"""Opens the score table that the settings name."""

from __future__ import annotations

from pathlib import Path

from pipeline.scores.table import ScoreTable
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import BigQuerySettings, DuckDBSettings, RunSettings
from pipeline.settings.scoring import ScoringSettings


def table_name(dataset: str, scoring: ScoringSettings) -> str:
    """The score table's name."""
    return scoring.table or f"scores_{dataset}"


def open_scores(run: RunSettings, folder: DatasetFolder, database: str) -> ScoreTable:
    """Opens a data set's score table; see open_table.

    Args:
        run: the run's settings.
        folder: the data set.
        database: with DuckDB, the database file: `<output>/<data set>/scores.duckdb`.
    """
    scoring = folder.dataset.scoring
    return open_table(run.warehouse, table_name(folder.name, scoring), scoring, database)


def open_table(
    warehouse: DuckDBSettings | BigQuerySettings, table: str, scoring: ScoringSettings, database: str
) -> ScoreTable:
    """Opens a score table, a context manager. Imports the engine's library, and connects when it is used.

    Args:
        warehouse: `warehouse` of the run's settings.
        table: the table's name.
        scoring: the section `scoring` of the data set.
        database: with DuckDB, the database file.
    """
    if isinstance(warehouse, DuckDBSettings):
        from pipeline.scores.duckdb_table import DuckDBScoreTable

        return DuckDBScoreTable(Path(database), table, scoring, warehouse)
    from pipeline.scores.bigquery_table import BigQueryScoreTable

    return BigQueryScoreTable(warehouse, table, scoring)
