"""Draws flame graphs as SVG. A box's width is time, a function lies on its caller, and the title has the figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

_WIDTH, _ROW, _LETTER = 1200.0, 16, 6.5  # of the picture, a box and a letter, in pixels
_NARROWEST = 0.5
_DEEPEST = 100  # functions of a stack that are drawn; those called by them are not told apart
_COLOURS = ("#f2b179", "#f59563", "#edc850", "#e9b44c", "#f67c5f", "#eec07b")


@dataclasses.dataclass
class _Box:
    """A function below its callers: samples, and the functions that it calls."""

    samples: int = 0
    calls: dict[str, _Box] = dataclasses.field(default_factory=dict)

    def add(self, stack: tuple[str, ...], samples: int) -> None:
        """Counts one stack."""
        box = self
        box.samples += samples
        for function in stack:
            box = box.calls.setdefault(function, _Box())
            box.samples += samples

    def depth(self) -> int:
        """Rows of boxes below this one."""
        return 1 + max((box.depth() for box in self.calls.values()), default=0)


def flame_graph(stacks: Mapping[tuple[str, ...], int], title: str, interval_s: float) -> str:
    """Draws it.

    Args:
        stacks: samples by stack; a stack begins with the outermost function.
        title: the picture's title.
        interval_s: seconds per sample.

    Returns:
        An SVG document.
    """
    root = _Box()
    for stack, samples in stacks.items():
        root.add(stack[:_DEEPEST], samples)
    height = (root.depth() + 1) * _ROW
    boxes: list[str] = []
    if root.samples:
        _draw(root, title, 0.0, 0, _WIDTH / root.samples, height, interval_s, boxes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {height}" '
        f'font-family="monospace" font-size="10">\n' + "\n".join(boxes) + "\n</svg>\n"
    )


def _draw(
    box: _Box, name: str, left: float, row: int, scale: float, height: int, interval_s: float, boxes: list[str]
) -> None:
    """Appends a box, and above it the boxes of the functions that it calls."""
    width, top = box.samples * scale, height - (row + 1) * _ROW
    if width < _NARROWEST:
        return
    told = f"{name}: {box.samples * interval_s:.2f} s"
    colour = _COLOURS[sum(map(ord, name)) % len(_COLOURS)]
    letters = int(width / _LETTER) - 1
    text = f'<text x="{left + 2:.1f}" y="{top + 11}">{escape(name[-letters:])}</text>' if letters > 2 else ""
    boxes.append(
        f"<g><title>{escape(told)}</title>"
        f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_ROW - 1}" fill={quoteattr(colour)}/>{text}</g>'
    )
    for function, called in sorted(box.calls.items()):
        _draw(called, function, left, row + 1, scale, height, interval_s, boxes)
        left += called.samples * scale
