"""What a person should look at first in a data set that init proposes for an export."""

from __future__ import annotations

import datetime

from pipeline.profiling.export_profile import ExportProfile
from pipeline.proposal.export_choices import Conversion, Tables, Zone
from pipeline.proposal.export_schedule import GRIDS, LOOKBACKS, Schedule, days_needed, with_schedule


def attention_lines(
    profile: ExportProfile,
    conversion: Conversion,
    schedule: Schedule,
    tables: Tables,
    zone: Zone,
    today: datetime.date,
) -> list[str]:
    """What a person should look at first."""
    found = []
    history = (tables.last - tables.first).days + 1
    if schedule.plan is None:
        need = days_needed(schedule.dataset, today)
        short = with_schedule(schedule.dataset, lookback_days=LOOKBACKS[-1], every_days=GRIDS[-1], train=1, test=1)
        found.append(
            f"Too few days: the export has {history}, and a run with the proposed windows needs {need}. make run stops "
            f"until then. From {days_needed(short, today)} days on, make init proposes shorter windows"
        )
    elif schedule.dataset.windows.lookback_days < LOOKBACKS[0]:
        usual = with_schedule(schedule.dataset, lookback_days=LOOKBACKS[0], every_days=GRIDS[-1], train=2, test=1)
        found.append(
            f"The export has {history} days. From {days_needed(usual, today)} days on, make init proposes features "
            f"that look back {LOOKBACKS[0]} days"
        )
    if schedule.attention:
        found.append(f"{conversion.event.name}: {schedule.attention}")
    if not zone.is_sure:
        found.append(f"Compare source.time_zone {zone.name} with the property's setting: {zone.reason}")
    if schedule.dataset.source.missing_days:
        days = schedule.dataset.source.missing_days
        found.append(
            f"{len(days)} days have no table ({days[0]} to {days[-1]}) and count as days without events: load them if "
            "they are only late, and delete them from source.missing_days"
        )
    if profile.days.unknown:
        unknown = [f"{profile.days.prefix}{name}" for name in profile.days.unknown[:3]]
        found.append(f"Not read, because the names are not {profile.days.prefix}YYYYMMDD: {', '.join(unknown)}")
    return [*found, *profile.notes]
