"""From a table to a proposal: profiles it in its warehouse, and takes one decision after another."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from models.config import SettingsError
from pipeline.profiling.profile import Association, ColumnProfile, TableProfile
from pipeline.profiling.table_profiler import TableProfiler
from pipeline.proposal import columns, dates, keys, label, missing, names, slices, split
from pipeline.proposal.choices import Choice, Use
from pipeline.proposal.columns import Surroundings
from pipeline.proposal.conversion import Readings, with_epoch_dates
from pipeline.proposal.facts import Facts
from pipeline.proposal.label_sql import has_label_sql, label_sql
from pipeline.proposal.names import Names
from pipeline.proposal.proposal import Proposal
from pipeline.proposal.surroundings import with_counts
from pipeline.proposal.wishes import Wishes, named_column
from pipeline.settings.source import TableSource
from pipeline.warehouse.interface import ALL_TEXT, Query, Warehouse, WarehouseError

Open = Callable[[TableSource], contextlib.AbstractContextManager[Warehouse]]


def propose(name: str, source: str, table: str, is_text: bool, open_source: Open, wishes: Wishes) -> Proposal:
    """Proposes a data set for a table.

    Args:
        name: of the data set.
        source: how messages name the table.
        table: the name by which a query reads it.
        is_text: whether it is a text file.
        open_source: opens the warehouse over the table.
        wishes: what a person has decided.

    Raises:
        SettingsError: a person must decide something, or a wish cannot be met.
        WarehouseError: the table cannot be read.
    """
    settings = _settings(table, is_text, wishes)
    with contextlib.ExitStack() as stack:
        warehouse = stack.enter_context(open_source(settings))
        if is_text and _is_refused(warehouse, table):
            settings = settings.model_copy(update={"repeated_names": "number"})
            warehouse = stack.enter_context(open_source(settings))
        profiler = TableProfiler(warehouse, source, table, is_text=is_text)
        profile = profiler.profile()
        found = missing.missing_texts(profile)
        facts = Facts(profiler.source)
        proposal = _Deciding(
            name, with_epoch_dates(missing.without(profile, found)), profiler, facts, wishes, found
        ).proposal()
        return dataclasses.replace(
            proposal, repeats_names=settings.repeated_names == "number", encoding=settings.encoding
        )


def _settings(table: str, is_text: bool, wishes: Wishes) -> TableSource:
    """The settings of the source. Raises SettingsError if the encoding is not one, or not of a text file."""
    if wishes.encoding is None:
        return TableSource(kind="table", table=table)
    if not is_text:
        raise SettingsError(f"ENCODING={wishes.encoding} is for a text file; leave it out")
    try:
        return TableSource(kind="table", table=table, encoding=wishes.encoding)
    except ValueError:
        raise SettingsError(
            f"ENCODING={wishes.encoding}: not an encoding that Python knows, such as windows-1250, cp949 or utf-16-le"
        ) from None


def _is_refused(warehouse: Warehouse, table: str) -> bool:
    """Whether a text file is refused as it is: its header may repeat a name, or leave one empty."""
    try:
        warehouse.columns(Query(f"SELECT * FROM `{table}` AS t", roles=ALL_TEXT))
    except WarehouseError:
        return True
    return False


class _Deciding:
    """Takes the decisions about one table."""

    def __init__(
        self,
        name: str,
        profile: TableProfile,
        profiler: TableProfiler,
        facts: Facts,
        wishes: Wishes,
        missing_texts: Mapping[str, str],
    ):
        self._name, self._profile, self._profiler, self._facts = name, profile, profiler, facts
        self._wishes, self._missing_texts = wishes, missing_texts
        self._readings = Readings(profile)
        # For queries that read a text file's columns as text.
        self._raw = Readings(profile, as_text=profile.is_text, missing_texts=missing_texts)
        self._places = {column.name: place for place, column in enumerate(profile.columns, start=1)}
        self._names = Names()

    def proposal(self) -> Proposal:
        profile, wishes = self._profile, self._wishes
        if not profile.rows:
            raise SettingsError(f"{profile.source}: the table has no rows, so nothing can be proposed")
        target = label.choose_label(profile, wishes)
        raw_label = label_sql(target, is_text_file=False)
        is_positive = f"({raw_label}) = 1"
        others = [column.name for column in profile.columns if column is not target.column and column.filled]
        associations = self._profiler.associations(is_positive, others) if 0 < target.positives < target.rows else {}
        key, date, date_reason = self._key_and_date(target, associations)
        roles = [self._label_choice(target), *self._key_choice(key), *self._date_choice(date, date_reason)]
        days = self._profiler.days(self._raw.date_sql(date), is_positive) if date is not None else None
        division = split.choose_split(target.rows, target.positives, days)
        choices = self._columns(roles, target, date, associations)
        test_share = (division.test_percent or split.TEST_PERCENT) / 100
        choices = slices.with_slices(choices, test_share, lambda choice: self._by_value(choice, raw_label))
        if not any(choice.is_learned for choice in choices):
            raise SettingsError(_no_feature(profile, choices))
        return Proposal(
            name=self._name,
            profile=profile,
            label=target,
            choices=choices,
            split=division,
            operating_share=split.operating_share(target.base_rate),
            conditions=self._conditions(target, key, date),
            missing_texts=self._missing_texts,
            key_reason=key.reason,
            date_reason=date_reason,
            attention=tuple(self._attention(target, key, division, choices)),
            associations=associations,
            days=days or (),
        )

    def _key_and_date(
        self, target: label.Label, associations: Mapping[str, Association]
    ) -> tuple[keys.Key, ColumnProfile | None, str]:
        """The key, the date and why."""
        profile, wishes = self._profile, self._wishes
        if wishes.date is not None:
            candidates = [self._wished_date(wishes.date)]
        else:
            candidates = dates.date_candidates(profile, self._readings, associations, target.base_rate)
            candidates = [column for column in candidates if column.name != target.column.name]
        possible = [(column, self._raw.date_sql(column)) for column in candidates]
        others = dataclasses.replace(profile, columns=tuple(c for c in profile.columns if c is not target.column))
        key = keys.choose_key(others, wishes, possible, self._facts.shared)
        if wishes.date is not None:
            return key, candidates[0], "you named it with DATE="
        if key.date is not None:
            return key, key.date, "with the key, it tells the rows apart; the newest rows are the test"
        date = dates.in_order_of_time(candidates)
        if date is None:
            return key, None, dates.none_reason(profile, self._readings, candidates)
        return key, date, dates.reason(date, candidates)

    def _wished_date(self, name: str) -> ColumnProfile:
        column = named_column(self._profile, name, "DATE")
        if not self._readings.is_date(column):
            odd = f"; row {column.odd_row:,} is none" if column.odd_row and column.forms else ""
            raise SettingsError(
                f"DATE={column.name}: the column holds no dates in a form that is known{odd}. Name another one, or "
                "make a date of it in the table"
            )
        return column

    def _label_choice(self, target: label.Label) -> Choice:
        name = self._name_of(target.column)
        sql = label_sql(target, self._profile.is_text)
        return Choice(target.column, Use.LABEL, f"{target.positive[0]!r} counts as 1; {target.why_positive}", name, sql)

    def _key_choice(self, key: keys.Key) -> Iterator[Choice]:
        if key.column is not None:
            sql = keys.key_sql(key.column, self._profile.is_text)
            yield Choice(key.column, Use.KEY, key.reason, self._name_of(key.column), sql)

    def _date_choice(self, date: ColumnProfile | None, reason: str) -> Iterator[Choice]:
        if date is not None:
            rival = self._readings.of(date).rival
            other = self._readings.date_sql(date, rival) if rival else ""
            sql = self._readings.date_sql(date)
            yield Choice(date, Use.DATE, reason, self._name_of(date), sql, other_sql=other)

    def _columns(
        self,
        roles: Sequence[Choice],
        target: label.Label,
        date: ColumnProfile | None,
        associations: Mapping[str, Association],
    ) -> tuple[Choice, ...]:
        """What becomes of each column, in the table's order."""
        taken = {choice.column.name: choice for choice in roles}
        others = [column for column in self._profile.columns if column.name not in taken]
        around = Surroundings(
            self._profile,
            self._readings,
            target.base_rate,
            associations,
            self._profiler.copies(self._profile),
            self._profiler.renamings(self._profile),
        )
        around = with_counts(around, others, date, self._raw, self._profiler)
        return tuple(
            taken.get(column.name) or columns.decide(column, self._places[column.name], self._names, around)
            for column in self._profile.columns
        )

    def _by_value(self, choice: Choice, raw_label: str) -> Sequence[slices.SliceCount]:
        return self._facts.by_value(self._raw.text_sql(choice.column), raw_label)

    def _conditions(self, target: label.Label, key: keys.Key, date: ColumnProfile | None) -> dict[str, str]:
        """The conditions of WHERE: rows without a label, key or date cannot be used."""
        rows = self._profile.rows
        found = {}
        if target.rows < rows:
            found[has_label_sql(target, self._profile.is_text)] = f"{rows - target.rows:,} rows have no label"
        for column, what in ((key.column, "key"), (date, "date")):
            if column is not None and column.filled < rows:
                condition = f"{names.column(column.name)} IS NOT NULL"
                if not self._profile.is_text and column.type == "STRING":
                    condition = f"{names.column(column.name)} NOT IN ('')"
                found[condition] = f"{rows - column.filled:,} rows have no {what}"
        return found

    def _attention(
        self, target: label.Label, key: keys.Key, division: split.SplitChoice, choices: Sequence[Choice]
    ) -> Iterator[str]:
        yield from split.too_little(target.rows, target.positives, division)
        if target.unsure and target.negative:
            yield (
                f"{target.positive[0]!r} counts as 1 since it is the rarer value of {target.column.name}; if it should "
                f"be {target.negative[0]!r}, swap 1 and 0 in the label's line of query.sql"
            )
        yield from division.attention
        if key.attention:
            yield key.attention
        for choice in choices:
            if choice.use is Use.DATE and choice.other_sql:
                yield (
                    f"the dates of {choice.column.name} read in two ways, and the split depends on them; query.sql "
                    "holds both lines"
                )
        yield from (choice.attention for choice in choices if choice.attention)

    def _name_of(self, column: ColumnProfile) -> str:
        return self._names.for_column(column.name, self._places[column.name])


def _no_feature(profile: TableProfile, choices: Sequence[Choice]) -> str:
    lines = [f"{profile.source}: no column is left to learn from:"]
    lines += [f"  {choice.column.name}: {choice.reason}" for choice in choices if not choice.is_learned]
    return "\n".join([*lines, "Nothing was written."])
