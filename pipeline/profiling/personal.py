"""Tells what may identify a person by its name or its values, so that no message shows it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

#: Words in a name (in snake case) that make a column an identifier, or personal.
PERSONAL_WORDS = frozenset(
    {
        *("id", "ids", "uid", "uuid", "guid", "gid", "cid", "clid", "gclid", "dclid", "wbraid", "gbraid", "srsltid"),
        *(
            "fbclid",
            "msclkid",
            "hash",
            "token",
            "ip",
            "email",
            "mail",
            "phone",
            "tel",
            "telephone",
            "address",
            "street",
        ),
        *("zip", "postcode", "iban", "ssn", "passport", "birthday", "birthdate", "dob", "firstname", "lastname"),
        *("surname", "fullname", "username", "password", "latitude", "longitude", "lat", "lon", "lng"),
    }
)
_PERSONAL_PAIRS = frozenset(
    {
        *((whose, "name") for whose in ("first", "last", "full", "user", "client", "customer", "contact")),
        ("birth", "date"),
        ("postal", "code"),
    }
)
_PERSONAL_VALUE = re.compile(
    r"[^\s@]+@[^\s@]+\.[^\s@]+"  # an address
    r"|(?:[0-9a-f]{8}-[0-9a-f]{4}-)|[0-9a-f]{16,}"  # UUIDs and digests
    r"|(?:\d[\s().+-]*){9,}"  # telephone numbers, cards, and other long numbers
    r"|[?&][\w.~-]+="  # a URL's query
    r"|(?=\S*[0-9])(?=\S*[A-Za-z])[A-Za-z0-9_-]{20,}",  # a token
    re.IGNORECASE,
)


def snake_case(name: str) -> str:
    """A name in lower case, with `_` where a capital began a word: `userId` is `user_id`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def is_personal_name(name: str) -> bool:
    """Whether a name such as `user_id`, `transactionId` or `email` says that its values identify someone."""
    words = [word for word in re.split(r"[^a-z0-9]+", snake_case(name)) if word]
    pairs = set(itertools.pairwise(words))
    return bool(PERSONAL_WORDS.intersection(words) or _PERSONAL_PAIRS & pairs)


def has_personal_values(values: Iterable[str]) -> bool:
    """Whether a value looks like an e-mail address, a telephone number, an identifier or a token."""
    return any(_PERSONAL_VALUE.search(value) for value in values)
