"""Brings a data set up to date with its table: says what has changed, and adds the columns that are new."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlglot import exp

from models.config import SettingsError, validate_settings
from models.features import FeatureSet
from pipeline.profiling.profile import Association, ColumnProfile, TableProfile
from pipeline.profiling.table_profiler import TableProfiler
from pipeline.proposal import changes, columns, folder, insertion, label, names, record, rendering
from pipeline.proposal.choices import Choice
from pipeline.proposal.columns import Surroundings
from pipeline.proposal.conversion import Readings
from pipeline.proposal.label_sql import label_sql
from pipeline.proposal.names import Names
from pipeline.proposal.proposal import feature
from pipeline.proposal.surroundings import with_counts
from pipeline.raw_schema import updated_text
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.source import TableSource
from pipeline.warehouse.dialect import parse_select


@dataclasses.dataclass(frozen=True)
class Update:
    """What has changed, and what is added.

    Attributes:
        changes: in the table.
        has_record: whether there was a record to compare with.
        added: the new features.
        refused: new columns that are not added, each with the reason.
        files: the new text of each file that changes.
        by_hand: lines to add by hand, where a file has no place for them; empty if it has.
    """

    changes: changes.Changes
    has_record: bool
    added: tuple[Choice, ...]
    refused: Mapping[str, str]
    files: Mapping[str, str]
    by_hand: tuple[str, ...] = ()


def load_table(path: Path) -> DatasetFolder:
    """The data set to update.

    Raises:
        SettingsError: there is none, or it is one of events.
    """
    if not path.is_dir():
        raise SettingsError(f"{path}: there is no such data set to update; leave UPDATE=1 out to make it")
    found = DatasetFolder.load(path)
    if not isinstance(found.dataset.source, TableSource):
        raise SettingsError(f"{path}: UPDATE=1 is for tables; this data set reads events, whose columns do not change")
    return found


def update(data_set: DatasetFolder, profile: TableProfile, profiler: TableProfiler) -> Update:
    """What has changed in the table of a data set, and the files with what is added.

    Args:
        data_set: as it is.
        profile: the table as it is now, read with the data set's missing values.
        profiler: of the same table.
    """
    path = data_set.path or Path()
    before = record.load(path / folder.RECORD)
    known = _known_columns(data_set, profile)
    after = record.of(profile, _private(data_set, profile))
    found = changes.compare(before or _record_of(known, after), after)
    choices = _decide(data_set, profile, found.new, profiler) if found.new else []
    added = tuple(choice for choice in choices if choice.is_learned)
    refused = {choice.column.name: choice.reason for choice in choices if not choice.is_learned}
    files = {folder.RECORD: record.to_json(record.of(profile, _private(data_set, profile) | refused.keys()))}
    by_hand: tuple[str, ...] = ()
    if added:
        try:
            files.update(_with_additions(data_set, added))
        except insertion.NoPlace as error:
            by_hand, files = tuple(_lines_to_add(added, str(error))), {}  # to be told again
    return Update(found, before is not None, added, refused, files, by_hand)


def lines(found: Update, source: str) -> Iterator[str]:
    """What to show on the terminal."""
    if not found.has_record:
        yield f"The folder has no {folder.RECORD}: types and ranges are recorded now, and compared the next time."
    for choice in found.added:
        yield f"  + {choice.column.name}: {choice.use.value}, {choice.reason}"
    for name, reason in found.refused.items():
        yield f"  + {name}: new, but not added: {reason}"
    for name in found.changes.gone:
        yield f"  - {name}: no longer in {source}; remove it from query.sql and features.yaml if they use it"
    for line in found.changes.changed:
        yield f"  ~ {line}"
    if not (found.changes.new or found.changes.gone or found.changes.changed):
        yield f"{source} has not changed since."
    if found.by_hand:
        yield ""
        yield from found.by_hand


def _known_columns(data_set: DatasetFolder, profile: TableProfile) -> set[str]:
    """The columns that query.sql reads, for a data set without a record."""
    read = {part.name.lower() for part in parse_select(data_set.query).find_all(exp.Column)}
    return {c.name for c in profile.columns if c.name.lower() in read or c.name.rpartition(".")[2].lower() in read}


def _record_of(known: set[str], after: record.TableRecord) -> record.TableRecord:
    return record.TableRecord(after.rows, {name: kept for name, kept in after.columns.items() if name in known})


def _private(data_set: DatasetFolder, profile: TableProfile) -> set[str]:
    """Columns that no feature comes from: their values may be identifiers."""
    tree = parse_select(data_set.query)
    learned = {name.lower() for name in (*data_set.features.names, data_set.dataset.columns.label)}
    read: set[str] = set()
    for projection in getattr(tree, "selects", ()):
        if projection.alias_or_name.lower() in learned:
            read |= {column.name.lower() for column in projection.find_all(exp.Column)}
    return {c.name for c in profile.columns if c.name.rpartition(".")[2].lower() not in read}


def _decide(
    data_set: DatasetFolder, profile: TableProfile, new: tuple[str, ...], profiler: TableProfiler
) -> list[Choice]:
    """What becomes of the new columns."""
    given = Names()
    roles = data_set.dataset.columns
    for name in (*data_set.declared.names, roles.label, roles.key, roles.date):
        if name:
            given.take(name)
    associations: Mapping[str, Association] = {}
    target = _source_column(data_set, profile, roles.label)
    base_rate = 0.5
    if target is not None:
        found = label.two_valued(target)
        if found is not None:
            base_rate = found.base_rate
            associations = profiler.associations(f"({label_sql(found, is_text_file=False)}) = 1", new)
    copies = profiler.copies(profile)
    around = Surroundings(profile, Readings(profile), base_rate, associations, copies)
    date = _source_column(data_set, profile, roles.date) if roles.date else None
    if date is not None and not around.readings.is_date(date):
        date = None
    raw = Readings(profile, as_text=profile.is_text)
    around = with_counts(around, [profile.column(name) for name in new], date, raw, profiler)
    places = {column.name: place for place, column in enumerate(profile.columns, start=1)}
    return [columns.decide(profile.column(name), places[name], given, around) for name in new]


def _source_column(data_set: DatasetFolder, profile: TableProfile, output: str) -> ColumnProfile | None:
    """The one column that an output of the query is made of; None if it is made of several."""
    for projection in getattr(parse_select(data_set.query), "selects", ()):
        if projection.alias_or_name.lower() == output.lower():
            read = {column.name.lower() for column in projection.find_all(exp.Column)}
            found = [column for column in profile.columns if column.name.lower() in read]
            return found[0] if len(found) == 1 else None
    return None


def _with_additions(data_set: DatasetFolder, added: tuple[Choice, ...]) -> dict[str, str]:
    """The new text of the files. Raises insertion.NoPlace."""
    path, source = data_set.path or Path(), data_set.dataset.source
    if not isinstance(source, TableSource):
        raise insertion.NoPlace("the data set reads events")
    query = _text(path / "query.sql")
    alias = insertion.source_alias(query, source.table)
    today = datetime.date.today()
    outputs = [(_aliased(rendering.expression(choice), alias), f"new on {today}: {choice.reason}") for choice in added]
    declared = _text(path / "features.yaml")
    lines_ = [rendering.feature_line(_new(choice, today), "") for choice in added]
    features = [*data_set.declared.features, *(feature(choice) for choice in added)]
    files = {
        "query.sql": insertion.with_outputs(query, outputs),
        "features.yaml": insertion.with_features(declared, lines_),
    }
    if data_set.schema_path:
        declared_set = validate_settings(
            {"features": [one.model_dump(mode="json", exclude_unset=True) for one in features]},
            FeatureSet,
            origin=str(path / "features.yaml"),
        )
        files["schema.pbtxt"] = updated_text(data_set.schema_path, declared_set, data_set.dataset.columns.label)
    return files


def _lines_to_add(added: tuple[Choice, ...], why: str) -> Iterator[str]:
    yield f"Nothing is added, since {why}. Add these lines by hand, to query.sql"
    yield from (f"  {rendering.expression(choice)}," for choice in added)
    yield "and to features.yaml, and type `make schema`:"
    yield from (rendering.feature_line(choice) for choice in added)


def _new(choice: Choice, today: datetime.date) -> Choice:
    return dataclasses.replace(choice, reason=f"new on {today}: {choice.reason}")


def _aliased(sql: str, alias: str) -> str:
    """The expression over the alias of the query."""
    if alias == names.ALIAS:
        return sql
    tree = parse_select(f"SELECT {sql}").selects[0]
    for column in tree.find_all(exp.Column):
        first = column.parts[0]
        if first.name == names.ALIAS:
            first.replace(exp.to_identifier(alias))
    return tree.sql(dialect="bigquery")


def _text(path: Path) -> str:
    """The file as it is, with its own ends of lines."""
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()
