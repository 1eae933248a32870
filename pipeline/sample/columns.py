"""Arrow columns of the sample's tables, from arrays of codes and numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.sample.day import PRODUCTS, PURCHASE, DayEvents, DayItems
from pipeline.sample.schema import build_list
from pipeline.sample.users import COUNTRIES, MISSING, REGIONS_PER_COUNTRY

HOST = "shop.example.com"
PAGE_LOCATIONS = tuple(f"https://{HOST}/p/{page}" for page in range(150))
REGIONS = tuple(f"{country} {region}" for country in COUNTRIES for region in range(1, REGIONS_PER_COUNTRY + 1))
ITEM_IDS = tuple(f"SKU{product:04d}" for product in range(PRODUCTS))
ITEM_NAMES = tuple(f"Product {product}" for product in range(PRODUCTS))
ITEM_CATEGORIES = tuple(f"Category {product % 12}" for product in range(PRODUCTS))


def param_lists(params: list[tuple[str, np.ndarray, pa.Array]]) -> pa.Array:
    """The column `event_params`.

    Args:
        params: for each parameter its key, which events have it (bool [events]), and its values [events]. The type of
            the values (string, int64 or float64) decides which value field of the export holds them.
    """
    present = np.column_stack([where for _, where, _ in params])
    event, param = np.nonzero(present)
    # The values are ordered by parameter, the lists by event: `origin` is the position of each list entry's value.
    begins = np.r_[0, np.cumsum(present.sum(axis=0))]
    origin = (begins[:-1] + np.cumsum(present, axis=0) - 1)[event, param]
    kinds = {"string_value": pa.string(), "int_value": pa.int64(), "double_value": pa.float64()}
    columns = {"key": strings(tuple(key for key, _, _ in params), param)}
    for field, kind in kinds.items():
        chunks = [
            values.filter(pa.array(where)) if values.type == kind else pa.nulls(int(where.sum()), kind)
            for _, where, values in params
        ]
        columns[f"value.{field}"] = pa.concat_arrays(chunks).take(pa.array(origin))
    return build_list("event_params", columns, np.r_[0, np.cumsum(present.sum(axis=1))])


def item_lists(events: DayEvents, items: DayItems) -> pa.Array:
    """The column `items`."""
    price = pa.array(items.price)
    sold = np.repeat(events.name == PURCHASE, np.diff(items.offsets))
    revenue = pa.array(np.round(items.price * items.quantity, 2), mask=~sold)
    columns = {
        "item_id": strings(ITEM_IDS, items.product),
        "item_name": strings(ITEM_NAMES, items.product),
        "item_category": strings(ITEM_CATEGORIES, items.product),
        "price": price,
        "price_in_usd": price,
        "quantity": pa.array(items.quantity),
        "item_revenue": revenue,
        "item_revenue_in_usd": revenue,
    }
    return build_list("items", columns, items.offsets)


def strings(vocabulary: tuple[str, ...], codes: np.ndarray) -> pa.Array:
    """The vocabulary's text for each code; NULL for MISSING."""
    codes = np.asarray(codes).astype(np.int64)
    return pa.array(vocabulary, pa.string()).take(pa.array(codes, mask=codes == MISSING))


def constant(text: str, rows: int) -> pa.Array:
    """The same text in every row."""
    return strings((text,), np.zeros(rows, np.int64))


def prefixed(prefix: str, number: np.ndarray, is_missing: np.ndarray) -> pa.Array:
    """The prefix followed by each number; NULL where missing."""
    text = pa.array(number, mask=is_missing).cast(pa.string())
    return pc.binary_join_element_wise(pa.scalar(prefix), text, "")


def transaction_ids(transaction: np.ndarray) -> pa.Array:
    """Transaction ids as the export writes them; NULL for MISSING."""
    return prefixed("T", 1_000_000 + transaction, transaction == MISSING)


def pseudo_ids(first_touch: np.ndarray) -> pa.Array:
    """GA4's client ids: a number and the second of the first visit. The factor is odd, so the numbers differ."""
    number = np.arange(len(first_touch), dtype=np.int64) * 1_640_531_527 % 2**31
    first, second = pa.array(number).cast(pa.string()), pa.array(first_touch).cast(pa.string())
    return pc.binary_join_element_wise(first, second, ".")
