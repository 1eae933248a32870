"""Daily tables of the sample, in the schema of the GA4 export."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.sample import users as who
from pipeline.sample.calendar import LocalClock, SampleParameters, date_of_day
from pipeline.sample.columns import (
    HOST,
    PAGE_LOCATIONS,
    REGIONS,
    constant,
    item_lists,
    param_lists,
    prefixed,
    pseudo_ids,
    strings,
    transaction_ids,
)
from pipeline.sample.day import (
    ADD_TO_CART,
    ENGAGEMENT,
    EVENT_NAMES,
    MICROS,
    PAGE_VIEW,
    PURCHASE,
    SCROLL,
    VIEW_ITEM,
    DayEvents,
    DayItems,
    draw_events,
    draw_items,
    is_engaged,
)
from pipeline.sample.schema import build_table
from pipeline.sample.users import MISSING, Users

SECONDS_BEFORE_FIRST_DAY = 72_000  # before UTC midnight of the first day: an early moment on the previous day


class DayTables:
    """Makes one day's table at a time: memory does not grow with the number of days.

    Attributes:
        user_pseudo_id: string [users], as the export has it for users with consent.
    """

    def __init__(self, parameters: SampleParameters, users: Users, sessions: np.ndarray):
        """Takes all SESSION records in any order, including those of the simulated days before the first table."""
        self._parameters, self._users = parameters, users
        self._clock = LocalClock(parameters.time_zone, parameters.warm_up_day, parameters.end_day)
        sessions = sessions[np.lexsort((sessions["second"], sessions["day"], sessions["user"]))]
        user = sessions["user"]
        first_of_user = np.r_[True, user[1:] != user[:-1]][: len(user)]
        begin = np.maximum.accumulate(np.where(first_of_user, np.arange(len(user)), 0))
        number = 1 + np.arange(len(user)) - begin + users.earlier_sessions[user]
        starts = self._clock.day_start(sessions["day"]) + sessions["second"]
        first_touch = users.first_day * 86_400 - SECONDS_BEFORE_FIRST_DAY
        is_first = number == 1
        first_touch[user[is_first]] = starts[is_first]
        self._first_touch = first_touch
        self.user_pseudo_id = pseudo_ids(first_touch)
        by_day = np.argsort(sessions["day"], kind="stable")
        self._sessions, self._number, self._starts = sessions[by_day], number[by_day], starts[by_day]

    def table(self, day: int) -> pa.Table:
        """The table of an epoch day, as it looks on the day after the newest table.

        Tables after the newest settled day still lack some sessions; those up to it are complete.
        """
        rng = np.random.default_rng([self._parameters.seed, day])
        here = np.arange(*np.searchsorted(self._sessions["day"], (day, day + 1)))
        age = self._parameters.end_day + 1 - day
        if day > self._parameters.settled_day:
            here = here[rng.random(len(here)) >= 0.35 * 0.3 ** (age - 1)]
        sessions, number, starts = self._sessions[here], self._number[here], self._starts[here]
        seconds_left = self._clock.day_start(day + 1) - starts
        events = draw_events(sessions, number == 1, seconds_left, rng)
        bought = np.where(events.name == PURCHASE, sessions["transaction"][events.session], MISSING).astype(np.int64)
        items = draw_items(events.name, bought, rng)
        columns = {
            **self._event_columns(day, sessions, starts, events, bought, items),
            **self._user_columns(sessions, events, rng),
            "event_params": self._params(sessions, number, starts, events, bought, items, rng),
            "items": item_lists(events, items),
        }
        return build_table(columns, len(events.name))

    def _event_columns(
        self,
        day: int,
        sessions: np.ndarray,
        starts: np.ndarray,
        events: DayEvents,
        bought: np.ndarray,
        items: DayItems,
    ) -> dict[str, pa.Array]:
        is_purchase = events.name == PURCHASE
        is_shopping = events.name >= VIEW_ITEM
        quantity = np.diff(np.r_[0, np.cumsum(items.quantity)][items.offsets])
        transaction = pc.if_else(
            pa.array(is_purchase),
            transaction_ids(bought),
            strings(("(not set)",), np.where(is_shopping, 0, MISSING)),
        )
        revenue = pa.array(items.revenue, mask=~is_purchase)
        tax = pa.array(np.round(0.08 * items.revenue, 2), mask=~is_purchase)
        rows = len(events.name)
        return {
            "event_date": constant(f"{date_of_day(day):%Y%m%d}", rows),
            "event_timestamp": pa.array(starts[events.session] * MICROS + events.micros),
            "event_name": strings(EVENT_NAMES, events.name),
            "event_value_in_usd": revenue,
            "event_bundle_sequence_id": pa.array(events.session + 1),
            "event_server_timestamp_offset": pa.array(200_000 + events.micros % 700_000),
            "stream_id": constant("5550001", rows),
            "platform": constant("WEB", rows),
            "ecommerce.transaction_id": transaction,
            "ecommerce.purchase_revenue": revenue,
            "ecommerce.purchase_revenue_in_usd": revenue,
            "ecommerce.tax_value": tax,
            "ecommerce.tax_value_in_usd": tax,
            "ecommerce.total_item_quantity": pa.array(quantity, mask=~is_shopping),
            "ecommerce.unique_items": pa.array(np.diff(items.offsets), mask=~is_shopping),
            "is_active_user": pa.array(is_engaged(sessions)[events.session]),
            "batch_event_index": pa.array(1 + events.position % 5),
            "batch_page_id": pa.array(starts[events.session] * 1000),
            "batch_ordering_id": pa.array(1 + events.position // 5),
        }

    def _user_columns(self, sessions: np.ndarray, events: DayEvents, rng: np.random.Generator) -> dict[str, pa.Array]:
        users, session = self._users, events.session
        user = sessions["user"][session].astype(np.int64)
        consent = users.has_consent[user]
        unlocated = (rng.random(len(sessions)) < 0.02)[session]  # besides users who never have a country
        country = np.where(unlocated, MISSING, users.country[user])
        region = np.where(country == MISSING, MISSING, country * who.REGIONS_PER_COUNTRY + users.region[user])
        came_from = np.where(sessions["source"] == who.DIRECT, MISSING, sessions["source"])[session]
        browser = strings(who.BROWSERS, users.browser[user])
        return {
            "user_pseudo_id": self.user_pseudo_id.take(pa.array(user, mask=~consent)),
            "user_id": prefixed("member-", user, ~(consent & users.is_logged_in[user])),
            "user_first_touch_timestamp": pa.array(self._first_touch[user] * MICROS, mask=~consent),
            "privacy_info.analytics_storage": strings(("No", "Yes"), consent),
            "privacy_info.ads_storage": strings(("No", "Yes"), consent),
            "privacy_info.uses_transient_token": constant("No", len(user)),
            "device.category": strings(who.DEVICES, users.device[user]),
            "device.operating_system": strings(who.SYSTEMS, users.system[user]),
            "device.language": strings(who.LANGUAGES, users.language[user]),
            "device.web_info.browser": browser,
            "device.web_info.hostname": constant(HOST, len(user)),
            "geo.country": strings(who.COUNTRIES, country),
            "geo.region": strings(REGIONS, region),
            "traffic_source.source": strings(who.SOURCES, users.source[user]),
            "traffic_source.medium": strings(who.MEDIUMS, users.source[user]),
            "collected_traffic_source.manual_source": strings(who.SOURCES, came_from),
            "collected_traffic_source.manual_medium": strings(who.MEDIUMS, came_from),
            "session_traffic_source_last_click.cross_channel_campaign.source": strings(
                who.SOURCES, sessions["source"][session]
            ),
            "session_traffic_source_last_click.cross_channel_campaign.medium": strings(
                who.MEDIUMS, sessions["source"][session]
            ),
        }

    def _params(
        self,
        sessions: np.ndarray,
        number: np.ndarray,
        starts: np.ndarray,
        events: DayEvents,
        bought: np.ndarray,
        items: DayItems,
        rng: np.random.Generator,
    ) -> pa.Array:
        session, name = events.session, events.name
        known = (sessions["has_id"] & self._users.has_consent[sessions["user"]])[session]
        is_purchase = name == PURCHASE
        source = sessions["source"][session]
        tells_source = (events.position == 0) | events.is_entrance
        tells_source &= source != who.DIRECT
        engaged = np.isin(name, (PAGE_VIEW, SCROLL, ENGAGEMENT, ADD_TO_CART)) & (events.pause_ms > 0)
        everywhere = np.ones(len(name), bool)
        # Key, which events have it, its values.
        params: list[tuple[str, np.ndarray, pa.Array]] = [
            ("ga_session_id", known, pa.array(starts[session])),
            ("ga_session_number", known, pa.array(number[session])),
            ("page_location", everywhere, strings(PAGE_LOCATIONS, rng.integers(0, len(PAGE_LOCATIONS), len(name)))),
            ("session_engaged", everywhere, strings(("0", "1"), is_engaged(sessions)[session])),
            ("engagement_time_msec", engaged, pa.array(events.pause_ms)),
            ("entrances", events.is_entrance, pa.array(np.ones(len(name), np.int64))),
            ("source", tells_source, strings(who.SOURCES, source)),
            ("medium", tells_source, strings(who.MEDIUMS, source)),
            ("transaction_id", is_purchase, transaction_ids(bought)),
            ("currency", is_purchase, constant("USD", len(name))),
            ("value", is_purchase, pa.array(items.revenue)),
        ]
        return param_lists(params)
