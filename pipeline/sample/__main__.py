"""The sample's command line: `python -m pipeline.sample --out FOLDER`; see pipeline.sample.events."""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from models.config import SettingsError, load_settings
from pipeline.sample import events
from pipeline.sample.calendar import DEFAULT_END, DEFAULT_SEED, DEFAULT_USERS
from pipeline.settings.dataset import Dataset


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.sample", description="Make sample events: daily tables of a GA4 export."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the daily tables")
    parser.add_argument("--users", type=int, default=DEFAULT_USERS, help="simulated users (default %(default)s)")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="seed of all draws (default %(default)s)")
    parser.add_argument(
        "--end", type=datetime.date.fromisoformat, default=DEFAULT_END, help="newest day (default %(default)s)"
    )
    parser.add_argument("--force", action="store_true", help="replace the folder whatever it holds")
    chosen = parser.parse_args(arguments)
    began = time.perf_counter()
    try:
        dataset = load_settings(Path(str(resources.files("schema"))) / "ga4" / "dataset.yaml", Dataset)
        parameters = events.parameters_for(dataset, users=chosen.users, seed=chosen.seed, end=chosen.end)
        sample = events.write_sample(chosen.out, parameters, force=chosen.force)
    except (SettingsError, OSError) as error:
        print(f"sample events: {error}", file=sys.stderr)
        return 2
    state = "" if sample.made else ", already there"
    seconds = time.perf_counter() - began
    print(f"{sample.events:,} events, {sample.days} days, {sample.megabytes:.1f} MB, {seconds:.1f} s{state}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
