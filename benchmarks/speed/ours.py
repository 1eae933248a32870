"""Runs this pipeline like `make run` (runners.local_runner) and measures its components."""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> int:
    """Runs the pipeline with arguments of runners.local_runner; returns the exit code."""
    from benchmarks.speed.nodes import measure_components
    from runners import local_runner

    measure_components()
    return local_runner.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
