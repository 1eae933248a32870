"""Tells what may identify a person by its name or its values, so that no message shows it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

#: Words in a column's name for what tells who somebody is, or how to reach them.
CONTACT_WORDS = frozenset(
    ["email", "mail", "phone", "telephone", "ip", "address", "street", "surname", "lastname", "firstname", "fullname"]
)
#: The same where a name stands for a column of a table. As an event's parameter, `mobile` is a kind of device.
TABLE_CONTACT_WORDS = CONTACT_WORDS | {"mobile"}
_ACCOUNT_WORDS = frozenset(["tel", "ssn", "passport", "iban", "username"])  # personal wherever they stand
#: Words in a name (in snake case) that make an event's parameter an identifier, or personal.
PERSONAL_WORDS = (
    CONTACT_WORDS
    | _ACCOUNT_WORDS
    | frozenset(
        [
            "id",
            "ids",
            "uid",
            "uuid",
            "guid",
            "gid",
            "cid",
            "clid",
            "gclid",
            "dclid",
            "wbraid",
            "gbraid",
            "srsltid",
            "fbclid",
            "msclkid",
            "hash",
            "token",
        ]
    )
    | frozenset(
        ["zip", "postcode", "birthday", "birthdate", "dob", "password", "latitude", "longitude", "lat", "lon", "lng"]
    )
)
_PERSONAL_PAIRS = frozenset(
    {
        *((whose, "name") for whose in ("first", "last", "full", "user", "client", "customer", "contact")),
        ("birth", "date"),
        ("postal", "code"),
    }
)
# Parts of a column's name whose values a profile does not list. Unlike words, they may be stuck together: `userid`.
_OWNERS = (
    "user customer client member visitor account person patient contact device session cookie order transaction "
    "subscriber guest lead"
)
_HIDDEN = re.compile(
    rf"(^|[^a-z])({'|'.join(sorted(TABLE_CONTACT_WORDS | _ACCOUNT_WORDS))}"
    r"|e-?mail|fax|login|first_name|last_name|full_name|user_name|customer_?name"
    rf"|({_OWNERS.replace(' ', '|')})_?(id|no|nr|number|key|uuid|guid)|pseudo_?id|uid|uuid|guid)([^a-z]|$)"
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


def is_hidden_name(name: str) -> bool:
    """Whether a column's name says that it tells who somebody is, so that its values stay unseen."""
    return _HIDDEN.search(snake_case(name)) is not None


def has_personal_values(values: Iterable[str]) -> bool:
    """Whether a value looks like an e-mail address, a telephone number, an identifier or a token."""
    return any(_PERSONAL_VALUE.search(value) for value in values)
