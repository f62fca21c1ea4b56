"""Who may do what: every demo account, and one of another department, against every verb and reading.

Each row of a table is one verb; the people named may, all others are refused: with 404 where they may not even know
that the case exists, with 403 where they see the case but hold no such post.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine import commands as c
from engine.model import SYSTEM, Membership
from tests.district import ITEM, PERMIT, ROOT, TestClient
from tests.processes import answers as a
from tests.processes.story import Hall

# Posts in another department and another hall: the same roles, another scope.
STRANGERS = {
    "education1": ("acceptance_reviewer", "liwan/dept/education"),
    "education2": ("decision_maker", "liwan/dept/education"),
    "market0": ("acceptance_reviewer", "liwan/dept/market"),  # a scope's name begun, not the scope
    "street1": ("intake_clerk", "liwan/street/440103003"),
    "overseer1": ("supervisor", "liwan/dept/education"),
    "security2": ("security_admin", "liwan/dept/education"),
    "nobody1": ("", ""),
}
COUNTER = ("counter1", "counter2")
INSIDERS = (
    *COUNTER, "reviewer1", "examiner1", "inspector1", "inspector2", "head1", "registrar1", "issue1",
    "supervisor1", "auditor1", "designer1", "security1", "system1",
)  # fmt: skip
EVERYBODY = (*INSIDERS, *STRANGERS)
OVERSEERS = ("supervisor1", "auditor1")

# Who sees the permit that waits for the acceptance reviewer: who worked on it or may, and who oversees it.
SEES_PERMIT = (*COUNTER, "reviewer1", *OVERSEERS)
