"""The days that a sample covers, and the snapshots within them."""

from __future__ import annotations

import datetime
import zoneinfo
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.config import SettingsError

EPOCH = datetime.date(1970, 1, 1)
GRID_OFFSET = 4  # 1970-01-05, a Monday
DEFAULT_END = datetime.date(2025, 11, 14)  # clocks change on 2 November, the day before the newest test snapshot
DEFAULT_TIME_ZONE = "America/Los_Angeles"
DEFAULT_USERS = 47_500
DEFAULT_SEED = 7


def epoch_day(day: datetime.date) -> int:
    """Days from 1970-01-01 to `day`."""
    return (day - EPOCH).days


def date_of_day(day: int) -> datetime.date:
    """The date of an epoch day."""
    return EPOCH + datetime.timedelta(days=int(day))


@dataclass(frozen=True)
class SampleParameters:
    """Everything that determines a sample. Days are epoch days (days since 1970-01-01) of the property's time zone.

    Attributes:
        users: simulated users; some are never seen in the days of the sample.
        seed: of every random draw.
        end: date of the newest table.
        time_zone: the property's; `event_date` and the tables' names are in it.
        lookback_days, gap_days, horizon_days, settle_days, every_days: the windows of `dataset.yaml`.
        train_snapshots, test_snapshots: how many snapshots the oldest and the newest table must leave room for.
    """

    users: int = DEFAULT_USERS
    seed: int = DEFAULT_SEED
    end: datetime.date = DEFAULT_END
    time_zone: str = DEFAULT_TIME_ZONE
    lookback_days: int = 30
    gap_days: int = 3
    horizon_days: int = 7
    settle_days: int = 3
    every_days: int = 7
    train_snapshots: int = 6
    test_snapshots: int = 2

    def __post_init__(self) -> None:
        """Raises SettingsError if the optimum would not be known or nothing would be drawn."""
        if self.every_days != self.horizon_days:
            raise SettingsError(
                f"every_days is {self.every_days} and horizon_days {self.horizon_days}; in a sample they must be "
                "equal, so that label windows tile time and each purchase belongs to one of them"
            )
        if self.users < 1 or self.seed < 0:
            raise SettingsError(f"users must be at least 1 and seed at least 0 (found {self.users} and {self.seed})")
        if min(self.lookback_days, self.horizon_days, self.train_snapshots, self.test_snapshots) < 1:
            raise SettingsError("lookback_days, horizon_days, train_snapshots and test_snapshots must be at least 1")
        if min(self.gap_days, self.settle_days) < 0:
            raise SettingsError("gap_days and settle_days must not be negative")

    @property
    def end_day(self) -> int:
        """The newest table's day."""
        return epoch_day(self.end)

    @property
    def settled_day(self) -> int:
        """The newest day whose table is complete on the day after the newest table."""
        return min(self.end_day, self.end_day + 1 - self.settle_days)

    @property
    def newest_test_day(self) -> int:
        """The newest snapshot whose label window is over and settled."""
        return self._grid_before(self.settled_day - self.gap_days - self.horizon_days + 1)

    @property
    def first_day(self) -> int:
        """The oldest table's day: the first day that the oldest training snapshot looks back to."""
        first_test = self.newest_test_day - (self.test_snapshots - 1) * self.every_days
        last_train = self._grid_before(first_test - self.gap_days - self.horizon_days - self.settle_days)
        return last_train - (self.train_snapshots - 1) * self.every_days - self.lookback_days

    @property
    def warm_up_day(self) -> int:
        """First simulated day: early tables already hold returning users and purchases."""
        return self.first_day - self.lookback_days - self.gap_days - self.horizon_days

    @property
    def table_days(self) -> range:
        """The days that have a table, oldest first."""
        return range(self.first_day, self.end_day + 1)

    def grid(self, first: int, last: int) -> range:
        """Snapshot days of the grid within [first, last]."""
        start = self._grid_before(first + self.every_days - 1)
        return range(start, last + 1, self.every_days)

    def _grid_before(self, day: int) -> int:
        return day - (day - GRID_OFFSET) % self.every_days

    def to_json(self) -> dict[str, Any]:
        """The parameters as plain JSON values."""
        return {**asdict(self), "end": self.end.isoformat()}


class LocalClock:
    """Knows when local days begin in UTC: some last 23 or 25 hours."""

    def __init__(self, time_zone: str, first_day: int, last_day: int):
        """For the days [first_day, last_day] (epoch days) and the end of the last."""
        zone = zoneinfo.ZoneInfo(time_zone)
        midnights = [
            datetime.datetime.combine(date_of_day(day), datetime.time(), zone).timestamp()
            for day in range(first_day, last_day + 2)
        ]
        self._first_day = first_day
        self._midnights = np.array(midnights, dtype=np.int64)

    def day_start(self, day: np.ndarray | int) -> np.ndarray:
        """UTC seconds, int64, at which the local days begin; same shape as `day`."""
        return self._midnights[np.asarray(day) - self._first_day]
