"""Splits of an Examples artifact: their files and their numbers of rows."""

from __future__ import annotations

from collections.abc import Collection

from tfx import types

from pipeline.examples import files
from pipeline.examples.data_summary import has_data_summary, read_data_summary
from pipeline.fast.compat import examples_utils


def split_files(examples: types.Artifact, split: str) -> list[str]:
    """The files of a split, sorted. Raises LostExamplesError if there are none or one is empty."""
    return files.matching(*examples_utils.get_split_file_patterns([examples], split))


def count_rows(examples: types.Artifact, splits: Collection[str]) -> int | None:
    """The number of rows in some splits.

    Parquet files contain it. For TFRecords, the data summary does.

    Returns:
        None if neither has it.

    Raises:
        LostExamplesError: a split has no files, or one of them is damaged.
    """
    found = {split: split_files(examples, split) for split in splits}
    if all(files.is_parquet(of_split) for of_split in found.values()):
        return sum(files.count_rows_of_files(of_split) for of_split in found.values())
    if not has_data_summary(examples):
        return None
    rows = {count["split"]: count["rows"] for count in read_data_summary(examples)["splits"]}
    return sum(rows[split] for split in splits) if rows.keys() >= set(splits) else None
