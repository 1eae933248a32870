"""Lists names in messages, without the end of a long list."""

from __future__ import annotations

from collections.abc import Sequence


def listed(names: Sequence[object], most: int) -> str:
    """The first names, and how many more there are: `a, b and 3 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
