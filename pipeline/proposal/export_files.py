"""The text of an export's dataset.yaml, each choice with its reason beside it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence

import yaml

from pipeline.proposal.export_choices import Conversion, Tables
from pipeline.settings.dataset import Dataset, EventSource

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_/:+.-]*")


def dataset_text(
    dataset: Dataset,
    *,
    heading: Sequence[str],
    conversion: Conversion,
    tables: Tables,
    zone_reason: str,
    reasons: Mapping[str, str],
    left_out: Mapping[str, Sequence[str]],
) -> str:
    """dataset.yaml.

    Args:
        dataset: the settings.
        heading: lines of the comment at the top.
        conversion: what to predict, and why.
        tables: which tables to read, and why.
        zone_reason: why this time zone.
        reasons: of windows and snapshots, by key.
        left_out: names of features that are left out, by reason.
    """
    source = dataset.source
    assert isinstance(source, EventSource)
    lines = [*(f"# {line}".rstrip() for line in heading), "source:"]
    lines += [
        _line("kind", source.kind, f"daily tables {source.table_prefix}YYYYMMDD"),
        _line("tables", source.tables, tables.reason),
        _line("time_zone", source.time_zone, zone_reason),
        _line("conversion_event", source.conversion_event, conversion.reason),
        _line("label_is", source.label_is, "1 is a conversion; absence would predict that there is none (churn)"),
        _line("eligibility", source.eligibility, conversion.eligibility_reason),
    ]
    if source.missing_days:
        lines.append("  missing_days:  # the export has no table of these days; they count as days without events")
        lines += [f"    - {day}" for day in source.missing_days]
    lines += [
        "columns:",
        _line("key", dataset.columns.key, "a browser or app; docs/sql.md shows how to join a user's devices"),
        _line("date", dataset.columns.date, "the day up to which a row's features see"),
        _line("label", dataset.columns.label, "1 or 0, by the three settings above"),
    ]
    if left_out:
        lines += ["features:", "  leave_out:"]
        for reason, names in left_out.items():
            lines += [f"    - {name}  # {comment(reason)}" for name in names]
    for section in ("windows", "snapshots"):
        values = getattr(dataset, section)
        lines.append(f"{section}:")
        lines += [
            _line(key, getattr(values, key), reason)
            for key, reason in reasons.items()
            if key in type(values).model_fields
        ]
    lines += ["split:", _line("eval_percent", dataset.split.eval_percent, "as in ga4: of the users outside test")]
    return "\n".join(lines) + "\n"


def comment(text: str) -> str:
    """A text that may stand in a comment: one line."""
    return " ".join(text.split())


def _line(key: str, value: object, reason: str) -> str:
    return f"  {key}: {_scalar(value)}  # {comment(reason)}"


def _scalar(value: object) -> str:
    """A value as YAML; a text in quotes if YAML would read it as something else."""
    if isinstance(value, str) and not (_PLAIN.fullmatch(value) and yaml.safe_load(value) == value):
        return yaml.safe_dump(value, default_style='"', allow_unicode=True, width=10_000).strip()
    return f"{value:%Y-%m-%d}" if isinstance(value, datetime.date) else str(value)
