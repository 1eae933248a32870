"""The query of the features table: query.sql, with the hashed key (`unit`) and the split of each row added."""

from __future__ import annotations

import collections
import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from models.features import Feature, Kind
from pipeline.settings.dataset import RESERVED_COLUMNS, SCORE_SPLIT, EventSource
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.warehouse.dialect import check_identifier, one_statement, parse_select, quoted
from pipeline.warehouse.interface import Column, Query, Value, WarehouseError
from pipeline.warehouse.label_free import without_label
from pipeline.warehouse.snapshots import SnapshotPlan

_NUMERIC_TYPES = ("INT64", "FLOAT64", "BOOL")
_FITTING_CASTS = {
    "DATE": "UNIX_DATE({0})",
    "DATETIME": "UNIX_SECONDS(TIMESTAMP({0}))",
    "TIMESTAMP": "UNIX_SECONDS({0})",
    "NUMERIC": "CAST({0} AS FLOAT64)",
    "BIGNUMERIC": "CAST({0} AS FLOAT64)",
    "STRING": "CAST({0} AS FLOAT64)",  # fails at what is no number; SAFE_CAST would lose it in silence
    "TIME": "EXTRACT(HOUR FROM {0})",
    "INTERVAL": "EXTRACT(DAY FROM {0})",
    "STRUCT": "{0}.<field>",
    "ARRAY": "ARRAY_LENGTH({0})",
    "BYTES": "CAST(SAFE_CONVERT_BYTES_TO_STRING({0}) AS FLOAT64)",
}
_TEXT_CASTS = {
    "STRUCT": "{0}.<field>",
    "ARRAY": "ARRAY_TO_STRING({0}, ',')",
    "BYTES": "SAFE_CONVERT_BYTES_TO_STRING({0})",
}
_ROLE_TYPES = {"label": ("INT64", "BOOL"), "key": ("STRING", "INT64"), "date": ("DATE",)}
_SAMPLE_SALT = "'sample:'"  # other than the split's, so that a sample has rows of every split
_VOLATILE = (exp.CurrentDate, exp.CurrentDatetime, exp.CurrentTime, exp.CurrentTimestamp, exp.Rand, exp.Uuid)


def inner_query(folder: DatasetFolder, plan: SnapshotPlan | None, *, labelled: bool = True) -> Query:
    """query.sql with its parameters. Only events have parameters; the plan gives their values.

    Without a label, for scoring, the query of a table lacks its label (label_free.py). The query of events stays as it
    is: its label looks at days that are not read, and nothing reads it.
    """
    text = folder.query if labelled or plan else without_label(folder.query, folder.dataset.columns.label)
    return Query(text, _event_parameters(folder, plan) if plan else {}, _roles(folder, labelled))


def query_for(
    folder: DatasetFolder,
    plan: SnapshotPlan | None,
    sample_percent: int = 100,
    *,
    counts: Sequence[str] = (),
    labelled: bool = True,
) -> Query:
    """The query of the features table: key and date (if any), label, features, counts, unit, split.

    Rows of events whose key stands for no user (`source.unknown_ids`) are left out. Without a label, for scoring, every
    row is in the split `score`.

    Args:
        folder: the data set.
        plan: the snapshots of a run over events; None for a table.
        sample_percent: share of the keys (of the rows, without a key) that are kept.
        counts: columns of query.sql that checks read (event_checks.unread_columns).
        labelled: whether the rows have a label.

    Raises:
        WarehouseError: query.sql is not one SELECT, or gives another result each time.
    """
    columns = folder.dataset.columns
    inner = inner_query(folder, plan, labelled=labelled)
    text = one_statement(inner.sql)
    volatile = parse_select(text).find(*_VOLATILE)
    if volatile is not None:
        raise WarehouseError(
            f"{folder.name}/query.sql: {volatile.sql('bigquery')} returns another result each time, so "
            "the cache could not tell whether a step has changed; use the query's parameters"
        )
    kept = [f"q.{quoted(name)}" for name in (columns.key, columns.date) if name]
    label = [f"CAST(q.{quoted(columns.label)} AS INT64) AS {quoted(columns.label)}"] if labelled else []
    features = [_feature_column(feature) for feature in folder.features.features]
    whose = _whose(folder)
    split, parameters = _split(folder, plan, whose) if labelled else (f"'{SCORE_SPLIT}'", {})
    more = [f"q.{quoted(name)}" for name in counts]
    selected = ",\n  ".join([*kept, *label, *features, *more, f"TO_HEX(MD5({whose})) AS unit", f"{split} AS split"])
    # The engine runs the text as it was written. It stands on its own lines, since it may end with a comment.
    sql = f"SELECT\n  {selected}\nFROM (\n{text}\n) AS q"
    conditions = []
    if plan and columns.key:
        key = f"q.{quoted(columns.key)}"
        conditions.append(f"({key} IS NULL OR LOWER(TRIM({whose})) NOT IN UNNEST(@unknown_ids))")
    if sample_percent < 100:
        conditions.append(f"{_bucket(whose, salt=_SAMPLE_SALT)} < @sample_percent")
        parameters["sample_percent"] = sample_percent
    if conditions:
        sql += f"\nWHERE {' AND '.join(conditions)}"
    return Query(sql, {**inner.parameters, **parameters}, inner.roles)


def check_columns(folder: DatasetFolder, returned: Sequence[Column], *, labelled: bool = True) -> list[str]:
    """Compares the columns of query.sql with those that the data set declares.

    Args:
        folder: the data set.
        returned: the columns of inner_query.
        labelled: whether the rows need a label; without one, no column is a note.

    Returns:
        Notes: columns that nothing uses.

    Raises:
        WarehouseError: a column is absent, is returned twice, has an unsuitable type, or has a reserved name.
            The message lists all of them.
    """
    types = {column.name: column.type for column in returned}
    columns = folder.dataset.columns
    roles = {columns.label if labelled else None: "label", columns.key: "key", columns.date: "date"}
    wanted: dict[str, Feature | str] = {name: role for name, role in roles.items() if name}
    wanted.update({feature.name: feature for feature in folder.features.features})
    problems = [f"it returns '{name}', a name that is reserved" for name in types if name.lower() in RESERVED_COLUMNS]
    problems += _doubles(returned)
    spellings = {name.lower(): name for name in types}
    for name, role in wanted.items():
        what = role if isinstance(role, str) else "feature"
        found = spellings.get(name.lower())
        if found is None:
            near = difflib.get_close_matches(name, types, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            problems.append(f"it does not return the {what} '{name}'{hint}")
        elif found != name:
            problems.append(f"it returns '{found}' for the {what} '{name}'; use one spelling in both")
        else:
            problems += _type_problem(name, types[name], role)
    if any(name.lower() not in spellings for name in wanted):
        problems.append(f"it returns: {', '.join(types)}")
    if problems:
        raise WarehouseError("\n".join(f"{folder.name}/query.sql: {problem}" for problem in problems))
    unused = [name for name in types if name not in wanted] if labelled else []
    return [f"query.sql returns '{name}', which is not a feature" for name in unused]


def fingerprint(query: Query, source_tables: Mapping[str, str], plan: SnapshotPlan | None) -> str:
    """A digest that changes when the data, the query or a parameter does.

    Args:
        query: query_for's.
        source_tables: the source's tables with their fingerprints; of events, those that the plan reads count.
        plan: as in query_for.
    """
    read = plan.table_suffixes if plan else ("",)
    document = {
        "sql": query.sql,
        "parameters": dict(query.parameters),
        "tables": {name: source_tables.get(name) for name in read},
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()


def table_name(dataset: str, digest: str) -> str:
    """`features_<data set>_<digest>`: deterministic, an identifier."""
    safe = "".join(character if character.isascii() and character.isalnum() else "_" for character in dataset)
    return check_identifier(f"features_{safe[:100]}_{digest[:16]}")


def test_split(folder: DatasetFolder, plan: SnapshotPlan | None, returned: Sequence[Column]) -> dict[str, Any]:
    """The definition of the test split. Two models can be compared only if it is the same for both.

    Args:
        folder: the data set.
        plan: as in query_for.
        returned: the columns of inner_query.

    Returns:
        JSON-ready. `by` is `date`; or `key` or `row`, and then there are the `expression`, its `salt` and
        `test_percent`, and the `columns` whose values it hashes.
    """
    split, columns = folder.dataset.split, folder.dataset.columns
    if plan or split.test_from:
        return {"by": "date"}
    return {
        "by": "key" if columns.key else "row",
        "expression": f"{_bucket(_whose(folder))} < @test_below",
        "salt": split.salt,
        "test_percent": split.test_percent,
        "columns": [columns.key] if columns.key else sorted(column.name for column in returned),
    }


def _whose(folder: DatasetFolder) -> str:
    """SQL for the text that decides a row's split: the key or, without a key, the whole row."""
    key = folder.dataset.columns.key
    return f"CAST(q.{quoted(key)} AS STRING)" if key else "TO_JSON_STRING(q)"


def _bucket(whose: str, salt: str = "@split_salt") -> str:
    """SQL for an integer from 0 to 99, of 60 bits of a salted digest (so that it is never negative)."""
    return f"MOD(CAST(CONCAT('0x', SUBSTR(TO_HEX(MD5(CONCAT({salt}, {whose}))), 1, 15)) AS INT64), 100)"


def _split(folder: DatasetFolder, plan: SnapshotPlan | None, whose: str) -> tuple[str, dict[str, Value]]:
    """SQL for the split of a row, with its parameters."""
    split, date = folder.dataset.split, folder.dataset.columns.date or ""
    bucket = _bucket(whose)
    parameters: dict[str, Value] = {"split_salt": split.salt, "eval_below": split.eval_percent}
    if plan:
        is_test = f"q.{quoted(date)} IN UNNEST(@test_dates)"
        parameters["test_dates"] = list(plan.test_dates)
    elif split.test_from:
        is_test = f"q.{quoted(date)} >= @test_from"
        parameters["test_from"] = split.test_from
    else:
        is_test = f"{bucket} < @test_below"
        parameters["test_below"] = split.test_percent or 0
        parameters["eval_below"] = split.eval_percent + (split.test_percent or 0)
    return f"CASE WHEN {is_test} THEN 'test' WHEN {bucket} < @eval_below THEN 'eval' ELSE 'train' END", parameters


def _event_parameters(folder: DatasetFolder, plan: SnapshotPlan) -> dict[str, Value]:
    source, windows = folder.dataset.source, folder.dataset.windows
    if not isinstance(source, EventSource):
        raise WarehouseError("a table has no snapshots")
    return {
        "snapshot_dates": list(plan.snapshot_dates),
        "lookback_days": windows.lookback_days,
        "gap_days": windows.gap_days,
        "horizon_days": windows.horizon_days,
        "conversion_event": source.conversion_event,
        "label_is": source.label_is,
        "eligibility": source.eligibility,
        "time_zone": source.time_zone,
        "first_suffix": plan.first_suffix,
        "last_suffix": plan.last_suffix,
        "table_suffixes": list(plan.table_suffixes),
        "unknown_ids": ["", *(text.strip().lower() for text in source.unknown_ids)],
    }


def _doubles(returned: Sequence[Column]) -> list[str]:
    """One line for each name that is returned twice. BigQuery refuses such a query; in names, case does not count."""
    counts = collections.Counter(column.name.lower() for column in returned)
    first = {column.name.lower(): column.name for column in reversed(returned)}
    return [
        f"the column '{first[name]}' is returned twice (upper and lower case count as equal); rename one of the two, "
        f"or write * EXCEPT ({first[name]}) if it comes from a star"
        for name, count in counts.items()
        if count > 1
    ]


def _type_problem(name: str, found: str, role: Feature | str) -> list[str]:
    """The problem with a column's type, as one line; empty if there is none."""
    if isinstance(role, Feature):
        is_numeric = role.kind is Kind.NUMERIC
        what, fits = f"the {role.kind.value} feature", _NUMERIC_TYPES if is_numeric else ("STRING",)
        advice = _FITTING_CASTS.get(found, "") if is_numeric else _TEXT_CASTS.get(found, "CAST({0} AS STRING)")
    else:
        what, fits = f"the {role}", _ROLE_TYPES[role]
        advice = "IF({0} = '<value>', 1, 0)" if (role, found) == ("label", "STRING") else f"CAST({{0}} AS {fits[0]})"
    if found in fits:
        return []
    hint = f"; write {advice.format(name)} AS {name}" if advice else ""
    return [f"{what} '{name}' is {found}, not {' or '.join(fits)}{hint}"]


def _roles(folder: DatasetFolder, labelled: bool) -> dict[str, str]:
    """The columns that the data set requires of the query."""
    columns = folder.dataset.columns
    named = {columns.key: "key", columns.date: "date", columns.label if labelled else None: "label"}
    features = {feature.name: feature.kind.value for feature in folder.features.features}
    return {**features, **{name: role for name, role in named.items() if name}}


def _feature_column(feature: Feature) -> str:
    """SQL for a feature. An empty text is a missing category, as it is for the transform graph."""
    column = f"q.{quoted(feature.name)}"
    return f"NULLIF({column}, '') AS {quoted(feature.name)}" if feature.kind is Kind.CATEGORICAL else column
