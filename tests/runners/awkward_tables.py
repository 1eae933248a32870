"""Awkward tables, as people have them, from which a model can learn something. Each writes its file and returns it."""

import csv
import datetime
from pathlib import Path

import numpy as np

ROWS = 3000
START = datetime.date(2024, 1, 1)


def chances(rng, rows=ROWS):
    """Two numbers, a category, and a label (0 or 1) of which they tell; about 40 % are 1."""
    first, second = rng.poisson(3, rows), rng.exponential(20, rows)
    plan = rng.choice(["basic", "plus", "pro"], rows, p=[0.5, 0.3, 0.2])
    log_odds = 0.6 * (first - 3) + 0.03 * (second - 20) + np.where(plan == "pro", 0.9, -0.2) - 0.3
    label = (rng.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(int)
    return first, second, plan, label


def write_csv(path: Path, columns: dict, delimiter=",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def days_before(days, ages):
    return [day - datetime.timedelta(days=int(age)) for day, age in zip(days, ages, strict=True)]


def integer_ids(folder: Path) -> Path:
    """Identifiers, codes and counts that are all whole numbers."""
    rng = np.random.default_rng(1)
    visits, spent, plan, label = chances(rng)
    return write_csv(
        folder / "customers 2024.csv",
        {
            "CustomerId": rng.permutation(ROWS) * 7 + 15_000_001,
            "last_order_id": rng.integers(10**6, 10**8, ROWS),
            "RegionCode": rng.integers(1, 7, ROWS),
            "store_id": rng.integers(100, 130, ROWS),
            "n_orders": ["" if value == 0 else value for value in visits],
            "spent": spent.round(2),
            "plan": plan,
            "Churned": np.where(label == 1, "Yes", "No"),
        },
    )


def leaking_columns(folder: Path) -> Path:
    """Columns that know the label, repeat another, or hold nothing."""
    rng = np.random.default_rng(2)
    visits, spent, plan, label = chances(rng)
    refund = np.where(label == 1, rng.uniform(20, 90, ROWS), rng.uniform(0, 21, ROWS)).round(2)
    reason = np.where((label == 1) & (rng.random(ROWS) < 0.5), rng.choice(["price", "service"], ROWS), "")
    words = np.array(["late", "fast", "nice", "slow", "broken", "again", "never", "order", "parcel", "help"])
    return write_csv(
        folder / "accounts.csv",
        {
            "visits": visits,
            "spent": spent.round(2),
            "plan": plan,
            "refund_amount": refund,
            "cancel_reason": reason,
            "plan_code": [{"basic": "B", "plus": "P", "pro": "X"}[name] for name in plan],
            "spent_eur": spent.round(2),
            "country": ["KR"] * ROWS,
            "fax": [""] * ROWS,
            "remark": [" ".join(rng.choice(words, 9)) for _ in range(ROWS)],
            "target": label,
        },
    )


def dates_in_text(folder: Path) -> Path:
    """Dates in two forms of text; rows come day after day."""
    rng = np.random.default_rng(3)
    items, value, plan, label = chances(rng)
    ordered = [START + datetime.timedelta(days=int(day)) for day in np.sort(rng.integers(0, 300, ROWS))]
    signed_up = days_before(ordered, rng.integers(1, 900, ROWS))
    return write_csv(
        folder / "orders.tsv",
        {
            "order_date": [f"{day:%d.%m.%Y}" for day in ordered],
            "signed_up": [f"{day:%b} {day.day}, {day.year}" for day in signed_up],
            "items": items,
            "value": [f"${amount:,.2f}" for amount in 40 * value],
            "plan": plan,
            "returned": np.where(label == 1, "true", "false"),
        },
        delimiter="\t",
    )


def korean(folder: Path) -> Path:
    """Korean names and values, and names that need quotes."""
    rng = np.random.default_rng(4)
    visits, spent, plan, label = chances(rng)
    joined = [START + datetime.timedelta(days=int(day)) for day in rng.integers(0, 400, ROWS)]
    return write_csv(
        folder / "고객.csv",
        {
            "고객번호": [f"K{number:06}" for number in rng.permutation(ROWS)],
            "가입일": [f"{day:%Y/%m/%d}" for day in joined],
            "지역": rng.choice(["서울", "부산", "대구", "제주"], ROWS),
            "등급": [{"basic": "일반", "plus": "우수", "pro": "최우수"}[name] for name in plan],
            '방문, "최근" 30일': visits,
            "구매 금액(원)": [f"{amount:,.0f}" for amount in 5000 * spent],
            "select": rng.choice(["a", "b"], ROWS),
            "구매 여부": np.where(label == 1, "예", "아니오"),
        },
    )


def decimal_commas(folder: Path) -> Path:
    """Semicolons, decimal commas, thousands, percentages, and a dash for what is missing."""
    rng = np.random.default_rng(5)
    visits, spent, plan, label = chances(rng)
    amount = [f"{value:,.2f}".translate(str.maketrans(",.", ".,")) for value in 90 * spent]
    rate = [f"{value:.1f}".replace(".", ",") for value in rng.uniform(0, 9, ROWS)]
    return write_csv(
        folder / "Käufe.csv",
        {
            "Kundennummer": np.char.add("DE-", rng.permutation(ROWS).astype(str)),
            "Umsatz": ["-" if missing else text for text, missing in zip(amount, rng.random(ROWS) < 0.1, strict=True)],
            "Preis pro Stück": [f"{value:.2f}".replace(".", ",") for value in spent],
            "Rabatt": [f"{text} %" for text in rate],
            "Besuche": visits,
            "Tarif": plan,
            "PLZ": [f"{number:05}" for number in rng.choice([1067, 4109, 10115, 20095, 80331], ROWS)],
            "gekauft": np.where(label == 1, "ja", "nein"),
        },
        delimiter=";",
    )


def wide_category(folder: Path) -> Path:
    """A category of some thousand values, few of them frequent, and one that hardly repeats."""
    rng = np.random.default_rng(6)
    visits, spent, plan, label = chances(rng)
    return write_csv(
        folder / "searches.csv",
        {
            "search_term": np.char.add("term ", np.minimum(rng.zipf(1.4, ROWS), 5000).astype(str)),
            "landing_page": np.char.add("/p/", rng.integers(0, 1400, ROWS).astype(str)),
            "city": np.char.add("city-", rng.integers(0, 60, ROWS).astype(str)),
            "visits": visits,
            "spent": spent.round(2),
            "plan": plan,
            "clicked": label,
        },
    )


def key_and_dates(folder: Path) -> Path:
    """A row per user and month, and dates before and after it."""
    rng = np.random.default_rng(7)
    rows = 3600
    visits, spent, plan, label = chances(rng, rows)
    months = [datetime.date(2025, month, 1) for month in range(1, 7)]
    user = np.tile(np.arange(rows // 6), 6)
    snapshot = [month for month in months for _ in range(rows // 6)]
    signup = days_before([START] * (rows // 6), rng.integers(1, 900, rows // 6))
    return write_csv(
        folder / "monthly.csv",
        {
            "user_id": user + 90_000,
            "signup_date": [signup[number] for number in user],
            "last_visit": days_before(snapshot, rng.integers(1, 60, rows)),
            "snapshot_date": snapshot,
            "contract_end": days_before(snapshot, -rng.integers(-30, 300, rows)),
            "birthday": [datetime.date(1960 + int(age), 5, 17) for age in rng.integers(0, 45, rows)],
            "visits": visits,
            "spent": spent.round(2),
            "plan": plan,
            "converted": label,
        },
    )


def two_labels(folder: Path) -> Path:
    """Two columns that could be the label."""
    rng = np.random.default_rng(8)
    visits, spent, plan, label = chances(rng)
    return write_csv(
        folder / "subscribers.csv",
        {
            "visits": visits,
            "spent": spent.round(2),
            "plan": plan,
            "newsletter": rng.choice(["yes", "no"], ROWS),
            "churned": np.where(label == 1, "yes", "no"),
            "upgraded": (rng.random(ROWS) < 0.1 + 0.1 * (plan == "plus")).astype(int),
        },
    )
