"""Turns grid and routes into coordinates: boxes, lines and labels of one plane, measured from its own corner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.bpmn.layout.grid import Grid, place
from engine.bpmn.layout.plane import BOUNDARY, Plane
from engine.bpmn.layout.routes import Route, Router, Routes, Track
from engine.bpmn.reader import local

TRACK = 14
GUTTER = 36
CHANNEL = 26
ROW = 80
NUDGE = 10
LABEL_HEIGHT = 14

Box = tuple[float, float, float, float]
Point = tuple[float, float]


def text_width(text: str) -> float:
    """Width of a label of size 11: Chinese characters are about twice as wide as Latin letters."""
    return sum(11 if ord(char) > 255 else 6.2 for char in text)


@dataclass(kw_only=True, slots=True)
class Picture:
    """Boxes of nodes and artefacts, points of edges, label boxes, and the top of every lane with the last bottom."""

    width: float = 0
    height: float = 0
    boxes: dict[str, Box] = field(default_factory=dict)
    artefacts: dict[str, Box] = field(default_factory=dict)
    lines: dict[str, list[Point]] = field(default_factory=dict)
    labels: dict[str, Box] = field(default_factory=dict)
    lane_tops: list[float] = field(default_factory=list)


def draw(plane: Plane) -> Picture:
    """The picture of a plane."""
    grid = place(plane)
    return _Draughtsman(plane, grid, Router(plane, grid).run()).picture()


class _Draughtsman:
    def __init__(self, plane: Plane, grid: Grid, routes: Routes) -> None:
        self.plane, self.grid, self.routes = plane, grid, routes
        self.made = Picture()
        self.gutter_x: list[float] = []
        self.channel_y: list[float] = []
        self.column_x: list[float] = []
        self.row_y: list[float] = []

    def picture(self) -> Picture:
        """Columns, rows, boxes, then lines and artefacts."""
        self._across()
        self._down()
        for ident in self.plane.nodes:
            width, height = self.plane.size(ident)
            x, y = self.column_x[self.grid.column[ident]], self.row_y[self.grid.row[ident]]
            self.made.boxes[ident] = (x - width / 2, y - height / 2, width, height)
        for host, events in self.plane.boundary.items():
            self._boundary(host, events)
        for route in self.routes.routes:
            self._line(route)
        self._node_labels()
        self._artefacts()
        return self.made

    def _across(self) -> None:
        x = 10.0
        for column in range(self.grid.columns):
            members = [i for i in self.plane.nodes if self.grid.column[i] == column]
            width = max([self.plane.size(i)[0] for i in members] + [60])
            self.gutter_x.append(x + GUTTER / 2)
            x += GUTTER + TRACK * self.routes.gutters.get(column, 0)
            x += max(0.0, self._widest_label(column) - 28) if column else 0
            self.column_x.append(x + width / 2)
            x += width
        self.gutter_x.append(x + GUTTER / 2)
        self.made.width = x + GUTTER + TRACK * self.routes.gutters.get(self.grid.columns, 0) + 10

    def _widest_label(self, column: int) -> float:
        widths = [0.0]
        for route in self.routes.routes:
            leaves = route.shape == "straight" and self.grid.column[route.edge.host] == column - 1
            arrives = route.shape in ("turn", "drop") and self.grid.column[route.edge.target] == column
            if leaves or arrives:
                widths.append(text_width(route.edge.name))
        return max(widths)

    def _down(self) -> None:
        notes = any(local(each) == "textAnnotation" for each in self.plane.artefacts)
        y = (0.0 if self.plane.lanes else 40.0) + (90 if notes else 0)
        for row in range(self.grid.rows + 1):
            edge = row in self.grid.first_rows
            if edge:
                y += 16 if row else 0
                self.made.lane_tops.append(y if row else 0)
            hosts = any(self.grid.row.get(host) == row - 1 for host in self.plane.boundary)
            space = CHANNEL + (14 if edge else 0) + (22 if hosts else 0)
            self.channel_y.append(y + space - CHANNEL * 0.45)
            y += space + TRACK * self.routes.channels.get(row, 0)
            if row < self.grid.rows:
                height = self._row_height(row)
                self.row_y.append(y + height / 2)
                y += height
        self.made.height = y + (80 if any(local(a) != "textAnnotation" for a in self.plane.artefacts) else 0)
        self.made.lane_tops.append(self.made.height)

    def _row_height(self, row: int) -> float:
        heights = [float(ROW)]
        for ident in self.plane.nodes:
            if self.grid.row[ident] == row:
                small = self.plane.kind(ident).endswith(("Event", "Gateway"))
                heights.append(self.plane.size(ident)[1] + (16 if small else 0))
        return max(heights)

    def _boundary(self, host: str, events: list[Any]) -> None:
        if host not in self.made.boxes:
            return
        x, y, width, height = self.made.boxes[host]
        for number, event in enumerate(events):
            self.made.boxes[event.get("id")] = (x + width - 50 - number * BOUNDARY, y + height - 18, 36, 36)

    def _x(self, track: Track) -> float:
        return self.gutter_x[track.at] + TRACK * track.lane

    def _y(self, track: Track) -> float:
        return self.channel_y[track.at] + TRACK * track.lane

    def _line(self, route: Route) -> None:
        start, end = self.made.boxes[route.edge.source], self.made.boxes[route.edge.target]
        points = getattr(self, "_" + route.shape)(route, start, end)
        points = [point for number, point in enumerate(points) if not number or point != points[number - 1]]
        self.made.lines[route.edge.id] = points
        if route.edge.name:
            self.made.labels[route.edge.id] = _flow_label(route.edge.name, points, turned=route.shape == "turn")

    def _straight(self, _route: Route, start: Box, end: Box) -> list[Point]:
        return [_right(start), _left(end)]

    def _drop(self, _route: Route, start: Box, end: Box) -> list[Point]:
        x, y = start[0] + start[2] / 2, _middle(end)
        return [(x, start[1] + start[3] if y > start[1] else start[1]), (x, y), (end[0], y)]

    def _join(self, _route: Route, start: Box, end: Box) -> list[Point]:
        x, y = end[0] + end[2] / 2, _middle(start)
        return [_right(start), (x, y), (x, end[1] + end[3] if y > end[1] else end[1])]

    def _turn(self, route: Route, start: Box, end: Box) -> list[Point]:
        points = [_right(start), (self._x(route.tracks[0]), _middle(start))]
        if len(route.tracks) == 3:
            y = self._y(route.tracks[1])
            points += [(self._x(route.tracks[0]), y), (self._x(route.tracks[2]), y)]
        return points + self._enter(route, points[-1], end)

    def _fall(self, route: Route, start: Box, end: Box) -> list[Point]:
        x, y, gutter = start[0] + start[2] / 2, self._y(route.tracks[0]), self._x(route.tracks[1])
        points = [(x, start[1] + start[3]), (x, y), (gutter, y)]
        return points + self._enter(route, points[-1], end)

    def _loop(self, route: Route, start: Box, end: Box) -> list[Point]:
        x, into = start[0] + start[2] / 2, end[0] + end[2] / 2 - NUDGE
        points = [(x, start[1]), (x, self._y(route.tracks[0]))]
        if len(route.tracks) == 3:
            gutter = self._x(route.tracks[1])
            points += [(gutter, self._y(route.tracks[0])), (gutter, self._y(route.tracks[2]))]
        inside = self._slope(route.edge.target)
        return [*points, (into, self._y(route.tracks[-1])), (into, end[1] + inside)]

    def _enter(self, route: Route, last: Point, end: Box) -> list[Point]:
        """From the last gutter into the target's left side, beside the line that a left neighbour's own flow takes."""
        x, y = last
        gutter = route.tracks[-1].at
        target = route.edge.target
        nudge = 0.0
        if (self.grid.row[target], gutter - 1) in self.grid.cells:
            nudge = -NUDGE if y < _middle(end) else NUDGE
        inside = self._slope(target) if nudge else 0.0
        height = _middle(end) + nudge
        return [(x, height), (end[0] + inside, height)]

    def _slope(self, ident: str) -> float:
        """How far a node's outline lies inside its box, ``NUDGE`` beside the middle of a side."""
        if self.plane.is_gateway(ident):
            return NUDGE
        return 3 if self.plane.kind(ident).endswith("Event") else 0

    def _node_labels(self) -> None:
        for ident, element in self.plane.nodes.items():
            name = element.get("name")
            if not name:
                continue
            x, y, width, height = self.made.boxes[ident]
            wide = text_width(name) + 4
            if self.plane.kind(ident).endswith("Event"):
                self.made.labels[ident] = (x + width / 2 - wide / 2, y + height + 3, wide, LABEL_HEIGHT)
            elif self.plane.is_gateway(ident):
                self.made.labels[ident] = (x + width / 2 - wide - 6, y - 8, wide, LABEL_HEIGHT)
        for events in self.plane.boundary.values():
            for event in events:
                if event.get("name") and event.get("id") in self.made.boxes:
                    x, y, _, height = self.made.boxes[event.get("id")]
                    wide = text_width(event.get("name")) + 4
                    self.made.labels[event.get("id")] = (x - wide + 6, y + height + 1, wide, LABEL_HEIGHT)

    def _artefacts(self) -> None:
        partner = {a.get("targetRef"): a.get("sourceRef") for a in self.plane.associations}
        partner |= {a.get("sourceRef"): a.get("targetRef") for a in self.plane.associations}
        x, notes_end = 20.0, 0.0
        for each in self.plane.artefacts:
            ident = each.get("id")
            if local(each) == "textAnnotation":
                wide = min(200.0, text_width("".join(each.itertext()).strip()) + 24)
                near = self.made.boxes.get(partner.get(ident, ""), (20.0, 0, 0, 0))[0] + 60
                left = max(near, notes_end + 10)
                self.made.artefacts[ident] = (left, 12, wide, 50)
                notes_end = left + wide
            else:
                self.made.artefacts[ident] = (x, self.made.height - 72, 36, 50)
                x += max(110.0, text_width(each.get("name") or "") + 20)


def _middle(box: Box) -> float:
    return box[1] + box[3] / 2


def _right(box: Box) -> Point:
    return box[0] + box[2], _middle(box)


def _left(box: Box) -> Point:
    return box[0], _middle(box)


def _flow_label(name: str, points: list[Point], *, turned: bool) -> Box:
    wide = text_width(name) + 4
    (x, y), (_, below) = points[0], points[1]
    if turned:
        x, y = points[2]
        below = y
    return (
        (x + 5, y - 18, wide, LABEL_HEIGHT)
        if y == below
        else (x + 5, y + (6 if below > y else -20), wide, LABEL_HEIGHT)
    )
