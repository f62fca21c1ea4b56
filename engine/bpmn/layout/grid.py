"""Gives every node of a plane a column (its longest path from the start) and a row (within its lane)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.bpmn.layout.plane import Edge, Plane


@dataclass(kw_only=True, slots=True)
class Grid:
    """``column`` and ``row`` of each node (rows numbered through all lanes), flows that go back, first row per lane."""

    column: dict[str, int]
    row: dict[str, int]
    back: set[str]
    first_rows: list[int]
    rows: int
    columns: int
    cells: set[tuple[int, int]] = field(default_factory=set)

    def free(self, row: int, first: int, last: int) -> bool:
        """Is no node in ``row`` from column ``first`` up to, not including, ``last``?"""
        return all((row, column) not in self.cells for column in range(first, last))

    def clear(self, column: int, one: int, two: int) -> bool:
        """Is no node in ``column`` strictly between two rows?"""
        return all((row, column) not in self.cells for row in range(min(one, two) + 1, max(one, two)))


def place(plane: Plane) -> Grid:
    """The grid of a plane."""
    order, back = _order(plane)
    column = dict.fromkeys(plane.nodes, 0)
    before: dict[str, list[Edge]] = defaultdict(list)
    outgoing = plane.outgoing
    for ident in order:
        for edge in outgoing[ident]:
            if edge.id not in back:
                column[edge.target] = max(column[edge.target], column[ident] + 1)
                before[edge.target].append(edge)
    lane = _lanes(plane)
    row = _Rows(plane, column, lane, before, back).fill(order)
    heights = [max((row[i] + 1 for i in plane.nodes if lane[i] == k), default=1) for k in range(_count(plane))]
    first_rows = [sum(heights[:k]) for k in range(len(heights))]
    rows = {ident: first_rows[lane[ident]] + row[ident] for ident in plane.nodes}
    return Grid(
        column=column,
        row=rows,
        back=back,
        first_rows=first_rows,
        rows=sum(heights),
        columns=max(column.values(), default=0) + 1,
        cells={(rows[ident], column[ident]) for ident in plane.nodes},
    )


def _count(plane: Plane) -> int:
    return max(len(plane.lanes), 1)


def _lanes(plane: Plane) -> dict[str, int]:
    found = dict.fromkeys(plane.nodes, 0)
    for number, (_, members) in enumerate(plane.lanes):
        found.update({ident: number for ident in members if ident in found})
    return found


def _order(plane: Plane) -> tuple[list[str], set[str]]:
    """Nodes so that each comes behind what leads to it, and the flows that close a loop (depth first)."""
    outgoing = plane.outgoing
    entered = {edge.target for edge in plane.edges}
    place_of = {ident: number for number, ident in enumerate(plane.nodes)}
    roots = sorted(plane.nodes, key=lambda i: (plane.kind(i) != "startEvent", i in entered, place_of[i]))
    done: dict[str, bool] = {}
    back: set[str] = set()
    order: list[str] = []
    for root in roots:
        if root in done:
            continue
        done[root] = False
        stack: list[tuple[str, Iterator[Edge]]] = [(root, iter(outgoing[root][::-1]))]
        while stack:
            ident, edges = stack[-1]
            edge = next(edges, None)
            if edge is None:
                done[ident] = True
                order.append(ident)
                stack.pop()
            elif edge.target not in done:
                done[edge.target] = False
                stack.append((edge.target, iter(outgoing[edge.target][::-1])))
            elif not done[edge.target]:
                back.add(edge.id)
    return order[::-1], back


class _Rows:
    """Finds a row for one node after another, column by column."""

    def __init__(
        self,
        plane: Plane,
        column: dict[str, int],
        lane: dict[str, int],
        before: dict[str, list[Edge]],
        back: set[str],
    ) -> None:
        self.plane, self.column, self.lane, self.before = plane, column, lane, before
        self.row: dict[str, int] = {}
        self.taken: dict[tuple[int, int], set[int]] = defaultdict(set)
        self.at: dict[tuple[int, int, int], str] = {}
        self.main: dict[str, str] = {}
        self.split: dict[str, bool] = {}
        for ident, edges in plane.outgoing.items():
            ahead = [e.target for e in edges if e.id not in back and not e.from_boundary]
            self.main.update({ident: ahead[0]} if ahead else {})
            self.split[ident] = len(edges) > 1

    def fill(self, order: list[str]) -> dict[str, int]:
        """Rows within the lanes; the first flow out of a node goes straight on, others below."""
        place_of = {ident: number for number, ident in enumerate(order)}
        for ident in sorted(order, key=lambda i: (self.column[i], place_of[i])):
            self._put(ident)
        return self.row

    def _put(self, ident: str) -> None:
        lane, column = self.lane[ident], self.column[ident]
        source, row = self._wish(ident)
        friends = {edge.host for edge in self.before[ident]}
        while True:
            straight = source is not None and self.row[source] == row
            span = set(range(self.column[source] + 1, column + 1)) if straight and source else {column}
            left = self.at.get((lane, row, column - 1))
            if not self.taken[lane, row] & span and (left is None or left in friends):
                break
            row += 1
        self.row[ident] = row
        self.taken[lane, row] |= span
        self.at[lane, row, column] = ident

    def _wish(self, ident: str) -> tuple[str | None, int]:
        wishes = []
        for edge in self.before[ident]:
            if edge.host in self.row and self.lane[edge.host] == self.lane[ident]:
                aside = self.main.get(edge.host) != ident
                wishes.append((aside, edge.from_boundary, self.row[edge.host], edge.host))
        if not wishes:
            return None, 0
        aside, boundary, row, source = min(wishes)
        return source, row + (1 if boundary or (aside and self.split[source]) else 0)
