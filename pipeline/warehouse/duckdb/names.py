"""Names of columns in a file: doubles, and what stands for a name that is repeated or empty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def find_twice(names: Iterable[str]) -> tuple[int, int] | None:
    """The places, from 1, of the first two names that are equal but for case, or None."""
    seen: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        first = seen.setdefault(name.lower(), place)
        if first != place:
            return first, place
    return None


def numbered(names: Sequence[str]) -> list[str]:
    """The names, each made unique: a second `x` is `x_2`, a third `x_3`, and an empty name is `column_<its place>`.

    Case does not count. A number that another name has already is passed over: `x`, `x`, `x_2` become `x`, `x_3`,
    `x_2`.
    """
    taken = {name.lower() for name in names if name}
    given: set[str] = set()
    counts: dict[str, int] = {}
    found = []
    for place, name in enumerate(names, start=1):
        chosen = name or f"column_{place}"
        if chosen.lower() in (given if name else taken | given):
            base = chosen
            while chosen.lower() in taken | given:
                counts[base.lower()] = counts.get(base.lower(), 1) + 1
                chosen = f"{base}_{counts[base.lower()]}"
        given.add(chosen.lower())
        found.append(chosen)
    return found
