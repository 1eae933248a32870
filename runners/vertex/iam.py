"""The roles that each account needs: `iam.yaml`. `python -m runners.vertex.iam` prints the table of docs/vertex.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from models.config import Settings, load_settings
from runners.vertex.settings import VertexSettings

_FILE = Path(__file__).with_name("iam.yaml")
TABLE_HEADER = ("account", "role", "on", "permissions in use", "why")

Resource = Literal[
    "project",
    "warehouse project",
    "source data set",
    "features data set",
    "scores data set",
    "bucket",
    "repository",
    "alert topic",
    "trigger topic",
    "trigger function",
    "key",
    "the pipeline's account",
    "Dataflow's account",
]


class Grant(Settings):
    """A role that an account needs."""

    role: str = Field(pattern=r"^roles/[A-Za-z]+(\.[A-Za-z]+)*$", description="A predefined role.")
    resource: Resource = Field(description="The resource to grant it on.")
    permissions: tuple[Annotated[str, Field(pattern=r"^[a-z]+\.[A-Za-z]+\.[A-Za-z]+$")], ...] = Field(
        min_length=1, description="The role's permissions that are in use."
    )
    why: str = Field(description="What they are used for.")
    when: str | None = Field(
        default=None, description="Dotted key of vertex.yaml. The grant is needed only if this key is set."
    )

    def needed_with(self, settings: VertexSettings) -> bool:
        """Whether these settings need the grant."""
        return self.when is None or bool(setting_of(settings, self.when))


class Account(Settings):
    """A person's or a service's account."""

    name: str = Field(description="Its name in the docs.")
    who: str = Field(description="What it is.")
    setting: str | None = Field(
        default=None, description="Dotted key of vertex.yaml that names the account; None if no key does."
    )
    grants: tuple[Grant, ...] = Field(description="The roles that it needs.")

    def email(self, settings: VertexSettings) -> str | None:
        """The account's e-mail in these settings; None if they do not name it."""
        return setting_of(settings, self.setting) if self.setting else None


class Roles(Settings):
    """All accounts."""

    accounts: tuple[Account, ...] = Field(description="Each account with its roles.")

    def account(self, name: str) -> Account:
        """The account of this name. Raises KeyError."""
        return {account.name: account for account in self.accounts}[name]

    def rows(self) -> Iterator[tuple[Account, Grant]]:
        """Each account with each of its grants."""
        for account in self.accounts:
            for grant in account.grants:
                yield account, grant


def load_roles() -> Roles:
    """Reads iam.yaml. Raises SettingsError."""
    return load_settings(_FILE, Roles)


def roles_table() -> list[list[str]]:
    """The rows of the table in the docs, below TABLE_HEADER. The condition follows the reason."""
    return [
        [
            account.name,
            f"`{grant.role}`",
            grant.resource,
            ", ".join(f"`{permission}`" for permission in grant.permissions),
            grant.why + (f" (with `{grant.when}`)" if grant.when else ""),
        ]
        for account, grant in load_roles().rows()
    ]


def setting_of(settings: VertexSettings, key: str) -> Any:
    """The value of a dotted key of vertex.yaml; None if the key, or a part of it, is not set."""
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part) if value is not None else None
    return value


if __name__ == "__main__":
    for row in ([*TABLE_HEADER], ["---"] * len(TABLE_HEADER), *roles_table()):
        print(f"| {' | '.join(row)} |")
