"""Compares the outputs of BeamDagRunner and of the compiled job: `python -m tools.local_vertex.compare -h`.

Both run the same code on the same data with the same seeds. The data, Transform's vocabularies and constants, and all
decisions must be equal. Sums of floats may differ by SUM_TOLERANCE, and figures of models by MODEL_TOLERANCE.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tools.local_vertex import evidence, score_evidence
from tools.local_vertex.evidence import Parts

# Relative. The order in which Beam merges partial sums differs between processes.
SUM_TOLERANCE = 1e-9

# Absolute, for metrics of a model. The gate also counts predictions within 1e-6 as the same model's.
MODEL_TOLERANCE = 1e-6

SHOWN = 3  # differences that are shown for one comparison

Artifacts = Callable[[str, str], Path]  # returns the folder of an artifact, given component and output


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One output of both runs.

    Attributes:
        what: its name.
        count: number of parts that were compared. A comparison of no parts fails.
        unit: name of the parts.
        differences: the differences in words.
    """

    what: str
    count: int
    unit: str
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether there was something to compare, and everything was equal."""
        return self.count > 0 and not self.differences

    def line(self) -> str:
        """The line of the table."""
        found = "equal"
        if self.differences:
            more = len(self.differences) - SHOWN
            found = "DIFFERENT: " + "; ".join(self.differences[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
        elif not self.count:
            found = "NO EVIDENCE: neither run has any"
        return f"  {self.what:<34}{self.count:>9,} {self.unit:<10} {found}"


def local_run(home: Path) -> Artifacts:
    """The newest artifacts below the folder that runners.local_runner wrote for a data set."""

    def folder(component: str, output: str) -> Path:
        parent = home / "artifacts" / component / output
        numbered = [path for path in parent.glob("*") if path.name.isdigit()]
        return max(numbered, key=lambda path: int(path.name), default=parent / "none")

    return folder


def vertex_run(folder: Path) -> Artifacts:
    """The artifacts of one run of the compiled job."""
    return lambda component, output: folder / component / output


def compare(local: Artifacts, vertex: Artifacts) -> list[Comparison]:
    """All comparisons."""

    def both(read: Callable[[Path], Any], component: str, output: str) -> tuple[Any, Any]:
        return read(local(component, output)), read(vertex(component, output))

    def splits(read: Callable[[Path], Parts]) -> Callable[[Path], dict[str, Parts]]:
        return functools.partial(evidence.by_split, read=read)

    examples, statistics = splits(evidence.examples), splits(evidence.statistics)
    return [
        *_each("examples", "rows", _counts, *both(examples, "BigQueryExampleGen", "examples")),
        parts("schema", "features", *both(evidence.schema, "CuratedSchema", "schema")),
        *_each("statistics", "figures", _sums, *both(statistics, "StatisticsGen", "statistics")),
        *_each("vocabulary", "entries", parts, *both(evidence.vocabularies, "Transform", "transform_graph")),
        _counts("constants of the transform", "arrays", *both(evidence.constants, "Transform", "transform_graph")),
        *_each("transformed examples", "rows", _counts, *both(examples, "Transform", "transformed_examples")),
        parts("family that was selected", "decisions", *both(evidence.selected, "SelectModel", "model")),
        _metrics("metrics of the families, eval", "figures", *both(evidence.family_metrics, "SelectModel", "model")),
        _metrics("metrics of the model, test", "figures", *both(evidence.test_metrics, "Evaluator", "verdict")),
        parts("verdict", "decisions", *both(evidence.verdict, "Evaluator", "verdict")),
        parts("blessing", "files", *both(evidence.files, "Evaluator", "blessing")),
        parts("pushed model", "files", *both(evidence.files, "Pusher", "pushed_model")),
    ]


def compare_scoring(local: Artifacts, vertex: Artifacts, local_table: Path, vertex_table: Path) -> list[Comparison]:
    """All comparisons of a scoring run, and of the databases with the score tables."""

    def both(read: Callable[[Path], Any], component: str, output: str) -> tuple[Any, Any]:
        return read(local(component, output)), read(vertex(component, output))

    def splits(read: Callable[[Path], Parts]) -> Callable[[Path], dict[str, Parts]]:
        return functools.partial(evidence.by_split, read=read)

    of_scores = both(score_evidence.scores, "Scorer", "scores")
    tables = score_evidence.table(local_table), score_evidence.table(vertex_table)
    found = [
        *_each("examples", "rows", _counts, *both(splits(evidence.examples), "BigQueryExampleGen", "examples")),
        parts("the champion's schema", "features", *both(evidence.schema, "ChampionSchema", "schema")),
        *_each("statistics", "figures", _sums, *both(splits(evidence.statistics), "StatisticsGen", "statistics")),
    ]
    for where, (ours, theirs) in (("scores", of_scores), ("score table", tables)):
        found += [
            _metrics(f"{where}: probability", "rows", ours["probability"], theirs["probability"]),
            *(parts(f"{where}: {name}", "rows", ours[name], theirs[name]) for name in score_evidence.EXACT),
        ]
    for where, scored, table in (("here", of_scores[0], tables[0]), ("on Vertex", of_scores[1], tables[1])):
        found.append(parts(f"table and scores {where}", "rows", scored["whole"], table["whole"]))
    return found


def parts(
    what: str, unit: str, local: Parts, vertex: Parts, same: Callable[[Any, Any], bool] = lambda a, b: a == b
) -> Comparison:
    """Compares part by part. `same` decides whether two values count as equal."""
    differences = [f"{name} is missing on Vertex" for name in local if name not in vertex]
    differences += [f"{name} is missing locally" for name in vertex if name not in local]
    for name in local:
        if name in vertex and not same(local[name], vertex[name]):
            differences.append(f"{name} is {_short(local[name])} locally, {_short(vertex[name])} on Vertex")
    return Comparison(what, len(local.keys() | vertex.keys()), unit, tuple(differences))


def _sums(what: str, unit: str, local: Parts, vertex: Parts) -> Comparison:
    return parts(what, unit, local, vertex, functools.partial(_close, relative=SUM_TOLERANCE))


def _metrics(what: str, unit: str, local: Parts, vertex: Parts) -> Comparison:
    return parts(what, unit, local, vertex, functools.partial(_close, absolute=MODEL_TOLERANCE))


def _close(a: Any, b: Any, relative: float = 0.0, absolute: float = 0.0) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=relative, abs_tol=absolute)
    return a == b


def _counts(what: str, unit: str, local: Parts, vertex: Parts) -> Comparison:
    """Compares multisets by digests: `local` and `vertex` say how often each digest occurs."""
    only_local = sum(max(0, count - vertex.get(name, 0)) for name, count in local.items())
    only_vertex = sum(max(0, count - local.get(name, 0)) for name, count in vertex.items())
    told = [f"{only_local:,} {unit} only locally"] if only_local else []
    told += [f"{only_vertex:,} {unit} only on Vertex"] if only_vertex else []
    return Comparison(what, max(sum(local.values()), sum(vertex.values())), unit, tuple(told))


def _each(
    what: str,
    unit: str,
    how: Callable[[str, str, Parts, Parts], Comparison],
    local: Mapping[str, Parts],
    vertex: Mapping[str, Parts],
) -> list[Comparison]:
    """A comparison for each split or vocabulary of either run; one without evidence if there are none."""
    names = sorted(local.keys() | vertex.keys())
    if not names:
        return [Comparison(what, 0, unit, ())]
    return [how(f"{what}, {name}", unit, local.get(name, {}), vertex.get(name, {})) for name in names]


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def main(arguments: list[str] | None = None) -> int:
    """Prints a line per comparison. The exit code is 1 if anything differs or could not be compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("local", type=Path, help="<output>/<data set> of runners.local_runner")
    parser.add_argument("vertex", type=Path, help="folder of a run below the pipeline root")
    parser.add_argument(
        "--scores",
        type=Path,
        nargs=2,
        metavar=("LOCAL", "VERTEX"),
        help="compare scoring runs, and these two databases with their score tables",
    )
    parser.add_argument("--report", type=Path, help="also write the lines to this file")
    args = parser.parse_args(arguments)
    runs = local_run(args.local), vertex_run(args.vertex)
    found = compare_scoring(*runs, *args.scores) if args.scores else compare(*runs)
    failed = sum(not comparison.passed for comparison in found)
    lines = [comparison.line() for comparison in found]
    lines.append(f"  {len(found) - failed} of {len(found)} are equal")
    print("\n".join(lines))
    if args.report:
        args.report.write_text("\n".join(lines), encoding="utf-8")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
