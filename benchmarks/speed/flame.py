"""Shows where a step spends its time: a thread samples the stacks of all threads, for a table and a flame graph."""

from __future__ import annotations

import collections
import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from benchmarks.speed.flame_graph import flame_graph

INTERVAL_S = 0.01
_TABLE_ROWS = 40
# Modules whose functions, at the end of a stack, only wait for another thread.
_WAITING = {"threading", "queue", "selectors", "concurrent.futures.thread", "concurrent.futures._base"}
_NOISE = "importlib._bootstrap"  # several frames of it for each import

Stacks = collections.Counter[tuple[str, ...]]  # from the outermost function to the innermost -> samples


@contextlib.contextmanager
def sampled(name: str, folder: Path) -> Iterator[None]:
    """Samples the body; writes `<name>.txt` (the functions with most time), `.svg` and `.folded` to `folder`.

    It counts the wall time of threads that run Python or a library called by it, without waiting for other threads.
    """
    stacks: Stacks = collections.Counter()
    ended = threading.Event()
    sampler = threading.Thread(target=_sample, args=(stacks, ended), name="stack-sampler", daemon=True)
    sampler.start()
    try:
        yield
    finally:
        ended.set()
        sampler.join()
        folder.mkdir(parents=True, exist_ok=True)
        folded = "".join(f"{';'.join(stack)} {count}\n" for stack, count in sorted(stacks.items()))
        (folder / f"{name}.folded").write_text(folded, encoding="utf-8")
        (folder / f"{name}.txt").write_text(table(stacks), encoding="utf-8")
        (folder / f"{name}.svg").write_text(flame_graph(stacks, name, INTERVAL_S), encoding="utf-8")


def table(stacks: Stacks) -> str:
    """Seconds in each function itself, and in the function with its calls, most first."""
    own: collections.Counter[str] = collections.Counter()
    within: collections.Counter[str] = collections.Counter()
    for stack, count in stacks.items():
        own[stack[-1]] += count
        for function in set(stack):
            within[function] += count
    lines = [f"{'itself s':>10}{'with calls s':>14}  function"]
    lines += [
        f"{own[function] * INTERVAL_S:>10.2f}{count * INTERVAL_S:>14.2f}  {function}"
        for function, count in within.most_common(_TABLE_ROWS)
    ]
    lines += ["", f"{'itself s':>10}  function"]
    lines += [f"{count * INTERVAL_S:>10.2f}  {function}" for function, count in own.most_common(_TABLE_ROWS)]
    return "\n".join(lines) + "\n"


def _sample(stacks: Stacks, ended: threading.Event) -> None:
    own = threading.get_ident()
    while not ended.wait(INTERVAL_S):
        started = time.perf_counter()
        for thread, frame in sys._current_frames().items():  # documented, in spite of its name
            if thread != own and frame.f_globals.get("__name__") not in _WAITING:
                stacks[_stack(frame)] += 1
        ended.wait(time.perf_counter() - started)  # at most half of the time goes into sampling


def _stack(frame: FrameType | None) -> tuple[str, ...]:
    functions = []
    while frame is not None:
        if not _module(frame).startswith(_NOISE):
            functions.append(_function(frame))
        frame = frame.f_back
    return tuple(reversed(functions)) or ("import",)


def _function(frame: FrameType) -> str:
    code = frame.f_code
    name = getattr(code, "co_qualname", code.co_name)  # Python 3.11 and later
    return f"{_module(frame)}.{name}"


def _module(frame: FrameType) -> str:
    return frame.f_globals.get("__name__") or os.path.basename(frame.f_code.co_filename)
