"""Finds every edge a way on the grid: along rows, through gutters between columns and channels between rows.

Places are counted in columns and rows: a node's middle is a whole number, gutter ``g`` lies at ``g - 0.5`` (left of
column ``g``), channel ``c`` at ``c - 0.5`` (above row ``c``). Edges that share a gutter or channel get tracks of
their own in it, so no edge is drawn over another.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from engine.bpmn.layout.grid import Grid
from engine.bpmn.layout.plane import Edge, Plane

SIDE = 0.3
"""Half a node's width in column units, roughly; only the order of places matters."""


@dataclass(kw_only=True, slots=True)
class Track:
    """A stretch of a gutter or channel; ``lane`` is its number beside others, given when all are known."""

    at: int
    first: float
    last: float
    lane: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """How one edge goes.

    ``straight``; ``drop`` (out of a gateway up or down, then along the target's row); ``join`` (along the row, then up
    or down into a gateway); ``turn`` (gutter, or gutter–channel–gutter); ``fall`` (from a boundary event down into the
    channel below, then a gutter); ``loop`` (over the top, back to an earlier column).
    """

    edge: Edge
    shape: str
    tracks: tuple[Track, ...] = ()


@dataclass(kw_only=True, slots=True)
class Routes:
    """All routes of a plane, and how many tracks each gutter and channel holds."""

    routes: list[Route] = field(default_factory=list)
    gutters: dict[int, int] = field(default_factory=dict)
    channels: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Line:
    first: float
    last: float
    edge: Edge

    def disturbs(self, other: _Line) -> bool:
        """Would the two lie on each other without sharing the end they have in common?"""
        apart = self.last <= other.first or other.last <= self.first
        return not apart and self.edge.host != other.edge.host and self.edge.target != other.edge.target


class Router:
    """Routes the edges of one plane: straight ones first, then loops, so that the others keep clear of them.

    ``tips`` are the points of nodes in use: (node, True) its lower, (node, False) its upper one.
    """

    def __init__(self, plane: Plane, grid: Grid) -> None:
        self.plane, self.grid = plane, grid
        self.gutters: dict[int, list[Track]] = defaultdict(list)
        self.channels: dict[int, list[Track]] = defaultdict(list)
        self.rows: dict[int, list[_Line]] = defaultdict(list)
        self.columns: dict[int, list[_Line]] = defaultdict(list)
        self.tips: set[tuple[str, bool]] = set()

    def run(self) -> Routes:
        """Every edge's route."""
        edges = sorted(self.plane.edges, key=lambda edge: (not self._is_straight(edge), not self._goes_back(edge)))
        routes = [self._route(edge) for edge in edges]
        return Routes(
            routes=routes,
            gutters={at: _spread(tracks) for at, tracks in self.gutters.items()},
            channels={at: _spread(tracks) for at, tracks in self.channels.items()},
        )

    def _is_straight(self, edge: Edge) -> bool:
        row, here, there = self.grid.row[edge.host], self.grid.column[edge.host], self.grid.column[edge.target]
        level = row == self.grid.row[edge.target] and here < there
        return level and not edge.from_boundary and self.grid.free(row, here + 1, there)

    def _goes_back(self, edge: Edge) -> bool:
        behind = self.grid.column[edge.target] <= self.grid.column[edge.host]
        return not edge.from_boundary and (edge.id in self.grid.back or behind)

    def _route(self, edge: Edge) -> Route:
        grid = self.grid
        if edge.from_boundary:
            return self._fall(edge)
        if self._goes_back(edge):
            return self._loop(edge)
        if self._is_straight(edge):
            self._claim(self.rows, grid.row[edge.host], grid.column[edge.host], grid.column[edge.target], edge)
            return Route(edge=edge, shape="straight")
        if self.plane.is_gateway(edge.host) and self._drop(edge):
            return Route(edge=edge, shape="drop")
        if self.plane.is_gateway(edge.target) and not self.plane.is_gateway(edge.host) and self._join(edge):
            return Route(edge=edge, shape="join")
        return self._turn(edge)

    def _drop(self, edge: Edge) -> bool:
        grid = self.grid
        row, column = grid.row[edge.host], grid.column[edge.host]
        there, target = grid.row[edge.target], grid.column[edge.target]
        tip = (edge.host, there > row)
        open_way = there != row and grid.clear(column, row, there) and grid.free(there, column, target)
        if tip in self.tips or not open_way:
            return False
        if not self._fits(self.rows, there, column, target, edge) or not self._fits(
            self.columns, column, row, there, edge
        ):
            return False
        self.tips.add(tip)
        self._claim(self.rows, there, column, target, edge)
        self._claim(self.columns, column, row, there, edge)
        return True

    def _join(self, edge: Edge) -> bool:
        grid = self.grid
        row, column = grid.row[edge.host], grid.column[edge.host]
        there, target = grid.row[edge.target], grid.column[edge.target]
        tip = (edge.target, row > there)
        open_way = there != row and grid.clear(target, row, there) and grid.free(row, column + 1, target + 1)
        if tip in self.tips or not open_way:
            return False
        if not self._fits(self.rows, row, column, target, edge) or not self._fits(
            self.columns, target, row, there, edge
        ):
            return False
        self.tips.add(tip)
        self._claim(self.rows, row, column, target, edge)
        self._claim(self.columns, target, row, there, edge)
        return True

    def _turn(self, edge: Edge) -> Route:
        grid = self.grid
        row, column = grid.row[edge.host], grid.column[edge.host]
        there, target = grid.row[edge.target], grid.column[edge.target]
        along = grid.free(there, column + 1, target) and row != there
        if along and self._fits(self.rows, there, column + 0.5, target, edge):
            self._claim(self.rows, there, column + 0.5, target, edge)
            return Route(edge=edge, shape="turn", tracks=(self._gutter(column + 1, row, there),))
        channel = there if there > row else there + 1
        tracks = (
            self._gutter(column + 1, row, channel - 0.5),
            self._channel(channel, column + 0.5, target - 0.5),
            self._gutter(target, channel - 0.5, there),
        )
        return Route(edge=edge, shape="turn", tracks=tracks)

    def _fall(self, edge: Edge) -> Route:
        grid = self.grid
        row, column, target = grid.row[edge.host], grid.column[edge.host], grid.column[edge.target]
        ahead = target - 0.5 > column
        channel = self._channel(row + 1, column - SIDE if ahead else column + SIDE, target - 0.5)
        gutter = self._gutter(target, row + 0.5, grid.row[edge.target])
        return Route(edge=edge, shape="fall", tracks=(channel, gutter))

    def _loop(self, edge: Edge) -> Route:
        grid = self.grid
        row, column = grid.row[edge.host], grid.column[edge.host]
        there, target = grid.row[edge.target], grid.column[edge.target]
        self.tips.add((edge.host, False))
        if row == there:
            return Route(edge=edge, shape="loop", tracks=(self._channel(row, column, target - 0.1),))
        tracks = (
            self._channel(row, column, target - 0.5),
            self._gutter(target, row - 0.5, there - 0.5),
            self._channel(there, target - 0.5, target),
        )
        return Route(edge=edge, shape="loop", tracks=tracks)

    def _gutter(self, at: int, one: float, two: float) -> Track:
        track = Track(at=at, first=min(one, two), last=max(one, two))
        self.gutters[at].append(track)
        return track

    def _channel(self, at: int, one: float, two: float) -> Track:
        track = Track(at=at, first=min(one, two), last=max(one, two))
        self.channels[at].append(track)
        return track

    def _fits(self, lines: dict[int, list[_Line]], at: int, one: float, two: float, edge: Edge) -> bool:
        wanted = _Line(min(one, two), max(one, two), edge)
        return not any(wanted.disturbs(line) for line in lines[at])

    def _claim(self, lines: dict[int, list[_Line]], at: int, one: float, two: float, edge: Edge) -> None:
        lines[at].append(_Line(min(one, two), max(one, two), edge))


def _spread(tracks: list[Track]) -> int:
    """Give tracks that touch different numbers; how many numbers that took."""
    ends: list[float] = []
    for track in sorted(tracks, key=lambda each: (each.first, -each.last)):
        for number, end in enumerate(ends):
            if end < track.first - 0.01:
                track.lane, ends[number] = number, track.last
                break
        else:
            track.lane = len(ends)
            ends.append(track.last)
    return len(ends)
