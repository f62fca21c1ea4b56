"""Knows the accounts of a demonstration: one for each post, all with one password that is no secret."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from engine.model import Membership

DEMO_PASSWORD = "sanwei-demo-2026"  # noqa: S105 (printed at the first run; production refuses these accounts)
_FILE = Path(__file__).with_name("demo_accounts.csv")


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoAccount:
    """One row, or several with one name: an account and its posts."""

    name: str
    display_name: str
    memberships: tuple[Membership, ...]

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of all its posts."""
        return tuple(post.role for post in self.memberships)


def demo_accounts() -> tuple[DemoAccount, ...]:
    """The accounts of demo_accounts.csv, in its order."""
    posts: dict[tuple[str, str], list[Membership]] = defaultdict(list)
    with _FILE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            post = Membership(role=row["role"], scope=row["scope"], unit=row["unit"], post=row["post"])
            posts[row["name"], row["display_name"]].append(post)
    return tuple(
        DemoAccount(name=name, display_name=shown, memberships=tuple(held)) for (name, shown), held in posts.items()
    )
