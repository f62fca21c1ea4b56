"""The table of faults, a row each: ``pytest tests/test_faults.py -v`` reads as the table.

Every row is run through our machine or gate (right, or refused with the element named) and through the bare library,
which does the same wrong; where only an earlier machine was at fault, the row says what that gave.
"""

from __future__ import annotations

import pytest

from tests.faults import Row, deciding, drawings, events, running

ROWS = [*drawings.TABLE.rows, *events.TABLE.rows, *running.TABLE.rows, *deciding.TABLE.rows]


def _name(row: Row) -> str:
    return f"{row.ident}: {row.outcome}".replace(" ", "_")


@pytest.mark.parametrize("row", ROWS, ids=_name)
def test_ours(row: Row) -> None:
    row.ours()


@pytest.mark.parametrize(
    "row", [row for row in ROWS if callable(row.bare)], ids=lambda row: row.ident.replace(" ", "_")
)
@pytest.mark.filterwarnings("ignore")
def test_the_bare_library_does_it_wrong(row: Row) -> None:
    assert callable(row.bare)
    row.bare()


def test_every_row_has_its_source_and_a_name_of_its_own() -> None:
    assert len({row.ident for row in ROWS}) == len(ROWS)
    assert all(row.source and (callable(row.bare) or "gave" in row.bare) for row in ROWS)
