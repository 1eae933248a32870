"""The schedule of a pipeline: made and changed to what the settings say, paused, resumed and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.config import SettingsError
from runners.vertex.clients import Clients, call_options
from runners.vertex.requests import update_schedule

if TYPE_CHECKING:
    from google.cloud import aiplatform_v1


def find_all(clients: Clients, pipeline: str) -> list[aiplatform_v1.Schedule]:
    """The schedules that have the pipeline's name."""
    request = {"parent": clients.parent, "filter": f'display_name="{pipeline}"'}
    return list(clients.schedules.list_schedules(request, **call_options()))


def find(clients: Clients, pipeline: str) -> aiplatform_v1.Schedule | None:
    """The schedule of the pipeline, or None. Raises SettingsError if there are several."""
    found = find_all(clients, pipeline)
    if len(found) > 1:
        names = ", ".join(schedule.name for schedule in found)
        raise SettingsError(
            f"{len(found)} schedules are called '{pipeline}': {names}; delete all but one (`schedule delete --id <id>`)"
        )
    return found[0] if found else None


def apply(clients: Clients, request: aiplatform_v1.CreateScheduleRequest) -> str:
    """Makes the schedule, changes it, or leaves it where nothing differs. Returns what was done, in a line.

    Raises:
        SettingsError: there are several, or the service cannot change it so.
        GoogleAPICallError: the service refused.
    """
    existing = find(clients, request.schedule.display_name)
    if existing is None:
        # Never repeated: the service would make a second one.
        made = clients.schedules.create_schedule(request, timeout=call_options()["timeout"])
        return f"created {describe(made)}"
    change = update_schedule(existing, request.schedule)
    if change.request is None:
        return f"unchanged: {describe(existing)}"
    updated = clients.schedules.update_schedule(change.request, **call_options())
    return f"updated {', '.join(change.fields)}: {describe(updated)}"


def pause(clients: Clients, pipeline: str) -> str:
    """Begins no further run. Returns what was done, in a line. Raises SettingsError if there is none."""
    schedule = _required(clients, pipeline)
    if schedule.state.name == "PAUSED":
        return f"unchanged: {describe(schedule)}"
    clients.schedules.pause_schedule(name=schedule.name, **call_options())
    return f"paused {schedule.name}; runs that have begun go on"


def resume(clients: Clients, pipeline: str) -> str:
    """Goes on, without the runs that were missed. Returns what was done. Raises SettingsError if there is none."""
    schedule = _required(clients, pipeline)
    if schedule.state.name == "ACTIVE":
        return f"unchanged: {describe(schedule)}"
    clients.schedules.resume_schedule(name=schedule.name, **call_options())
    return f"resumed {schedule.name}; runs that were missed are not made up for"


def delete(clients: Clients, pipeline: str, schedule_id: str | None = None) -> str:
    """Deletes the schedule, or of several of its name the one with the id. Runs that have begun go on.

    Raises:
        SettingsError: there is none, or not one of this id; there are several.
    """
    if schedule_id is None:
        name = _required(clients, pipeline).name
    else:
        name = f"{clients.parent}/schedules/{schedule_id}"
        if name not in {_with_project(clients, schedule.name) for schedule in find_all(clients, pipeline)}:
            raise SettingsError(f"no schedule {schedule_id} is called '{pipeline}'; see `schedule list`")
    remove(clients, name)
    return f"deleted {name}"


def remove(clients: Clients, name: str) -> None:
    """Deletes a schedule by its resource name."""
    clients.finish(clients.schedules.delete_schedule(name=name, **call_options()))


def describe(schedule: aiplatform_v1.Schedule) -> str:
    """A schedule in a line."""
    parts = [schedule.name, schedule.state.name, schedule.cron]
    if schedule.next_run_time:
        parts.append(f"next run {schedule.next_run_time:%Y-%m-%dT%H:%M:%SZ}")
    if schedule.end_time:
        parts.append(f"until {schedule.end_time:%Y-%m-%dT%H:%M:%SZ}")
    if schedule.last_scheduled_run_response.run_response:
        parts.append(f"last: {schedule.last_scheduled_run_response.run_response}")
    return ", ".join(parts)


def _required(clients: Clients, pipeline: str) -> aiplatform_v1.Schedule:
    schedule = find(clients, pipeline)
    if schedule is None:
        raise SettingsError(
            f"no schedule is called '{pipeline}' in {clients.project}, {clients.region}; `schedule apply` makes it"
        )
    return schedule


def _with_project(clients: Clients, name: str) -> str:
    """A resource name of the service, which has the project's number, with the project's id."""
    return f"{clients.parent}/{'/'.join(name.split('/')[4:])}"
