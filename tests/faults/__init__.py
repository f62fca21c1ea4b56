"""The table of faults: what the bare library does wrong, and what our machine or gate does with the same drawing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from engine import bpmn
from engine.bpmn.gate.shape import check_shape
from engine.errors import Refused
from tests.bare import Bare
from tests.diagrams import process

Check = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. ``source`` is what is known of the library; ``bare`` shows it, or tells what an earlier machine gave.

    ``outcome``: ``right`` (our machine does what BPMN says) or ``refused`` (before anything runs, naming the element).
    """

    ident: str
    source: str
    outcome: str
    ours: Check
    bare: Check | str


class Table:
    """Rows of one topic, added by decorating a pair of functions' first."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def row(self, ident: str, source: str, bare: Check | str, outcome: str = "right") -> Callable[[Check], Check]:
        """The decorated function is what ours does."""

        def keep(ours: Check) -> Check:
            self.rows.append(Row(ident, source, outcome, ours, bare))
            return ours

        return keep

    def refused(self, ident: str, source: str, bare: Check | str) -> Callable[[Check], Check]:
        """The decorated function shows the refusal."""
        return self.row(ident, source, bare, "refused")


def run_bare(*body: str, data: Mapping[str, Any] | None = None, more: str = "", called: bytes = b"") -> Bare:
    """One process on the bare library, started."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        files = {"P": process(*body, more=more)} | ({"Q": called} if called else {})
        return Bare("P", files, data or {})


def rejects(body: tuple[str, ...], word: str, data: Mapping[str, Any] | None = None, more: str = "") -> None:
    """The bare library raises something with this word in it (in its type or text)."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        run_bare(*body, data=data, more=more)
    assert word.lower() in f"{type(caught.value).__name__} {caught.value!r}".lower()


def names_at(element: str, *body: str, more: str = "") -> None:
    """Our compiler or gate refuses this and names the element."""
    try:
        made = bpmn.compile_process(process(*body, more=more), "P.bpmn")
    except Refused as refused:
        found = refused.findings
    else:
        found = [each for each in check_shape(made) if each.severity == "error"]
    assert element in [each.where.rpartition("#")[2] for each in found], [each.where for each in found]
