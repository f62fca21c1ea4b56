"""Makes a net smaller without changing its faults, so that a drawing of plain blocks needs next to no states.

What is done once behind a single way is drawn together with that way; equal ways are one; a block whose branches all
come to its join is one step. Places where several ways meet are kept, for two tokens must not meet there unseen; so
are the last places of branches that a circle may begin again and again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from engine.bpmn.gate.soundness_building import ends_only
from engine.bpmn.gate.soundness_net import Net, Place, Way, again, element_of


def reduce(net: Net) -> None:
    """Reduce the net in place."""
    reduction = _Reduction(net)
    while reduction.round():
        pass
    reduction.release_tails()
    while reduction.round():
        pass


class _Reduction:
    """The rules over one net."""

    def __init__(self, net: Net) -> None:
        self.net, self.released = net, set[str]()
        self.free = {key for key in net.places if ends_only(net.scope, element_of(key))}

    def ways(self) -> Iterator[tuple[str, Way]]:
        """Every way with the place it leaves; empty for the first markings."""
        for _, way in self.net.starts:
            yield "", way
        for key, place in self.net.places.items():
            for way in place.ways:
                yield key, way

    def round(self) -> bool:
        """Apply every rule once; did anything change?"""
        changed = False
        for key, place in self.net.places.items():
            changed |= self._own(key, place)
            changed |= self._alike(place)
        for name in list(self.net.joins):
            changed |= self._joined(name)
        for key in sorted(self.net.places, key=lambda each: each not in self.free):
            if key in self.net.places:
                changed |= self._through(key) or self._together(key)
        return changed

    @staticmethod
    def _own(key: str, place: Place) -> bool:
        """Drop ways that lead back to where they began, if there are others."""
        rest = [way for way in place.ways if way.makes != (key,) or way.clears]
        if not rest or len(rest) == len(place.ways):
            return False
        gone = [way for way in place.ways if way.makes == (key,) and not way.clears]
        place.beside = place.beside.union(*(way.beside.union(way.passes) for way in gone))
        place.ways = rest
        return True

    @staticmethod
    def _alike(place: Place) -> bool:
        """Ways to the same places are one."""
        found: dict[tuple[tuple[str, ...], bool], Way] = {}
        for way in place.ways:
            first = found.setdefault((way.makes, way.clears), way)
            if first is not way:
                first.beside = first.beside | way.beside | set(way.passes)
                first.waits = first.waits or way.waits
        changed = len(found) < len(place.ways)
        place.ways = list(found.values())
        return changed

    def _through(self, key: str) -> bool:
        """A place with a single way on, reached from one place only (or only there to end), is passed at once."""
        place = self.net.places[key]
        if len(place.ways) != 1 or place.quantity > 1 or place.ways[0].clears or key in place.ways[0].makes:
            return False
        onward = place.ways[0]
        sources = [(source, way) for source, way in self.ways() if key in way.makes]
        if not sources or (key not in self.free and _meet(key, sources)):
            return False
        if len(onward.makes) > 1 and any(self.net.scope.nodes[n].kind == "inclusiveGateway" for n in self.net.joins):
            return False  # where a token stands decides what an inclusive join still waits for
        waits = place.waits or onward.waits
        if waits and not onward.makes and key not in self.released:
            return False
        for each in onward.makes if waits else ():
            if each in self.net.places:  # a token here may still be on its way
                after = self.net.places[each]
                after.waits = True
                if len(onward.makes) == 1 and self._only(each, key):
                    after.label = place.label
        for _, way in sources:
            _replace(way, key, onward, waits)
            way.passes += (element_of(key), *onward.passes)
            way.beside = way.beside | place.beside | onward.beside
        del self.net.places[key]
        return True

    def _only(self, key: str, source: str) -> bool:
        """Is this place reached from no other than ``source``?"""
        return all(each == source or key not in way.makes for each, way in self.ways())

    def _together(self, key: str) -> bool:
        """A place whose single way leads to one place that nothing else reaches chooses what that one chooses."""
        place = self.net.places.get(key)
        if place is None or len(place.ways) != 1 or place.ways[0].clears or len(place.ways[0].makes) != 1:
            return False
        way = place.ways[0]
        after = way.makes[0]
        target = self.net.places.get(after)
        if target is None or after == key or target.quantity > 1 or len(target.ways) < 2:
            return False
        if sum(each.makes.count(after) for _, each in self.ways()) > 1:
            return False
        for each in target.ways:
            each.passes = (*way.passes, element_of(after), *each.passes)
            each.waits = each.waits or way.waits
        place.ways, place.waits = target.ways, place.waits or target.waits
        place.beside = place.beside | target.beside | way.beside
        del self.net.places[after]
        return True

    def _joined(self, name: str) -> bool:
        """A way that brings every token a join waits for goes on behind it."""
        flows = self.net.joins[name]
        kind = self.net.scope.nodes[name].kind
        sources = [(key, way) for key, way in self.ways() if any(flow in way.makes for flow in flows)]
        if kind == "parallelGateway":
            full = [way for _, way in sources if all(flow in way.makes for flow in flows)]
        elif kind == "inclusiveGateway" and self._alone(sources, flows):
            full = [way for _, way in sources]
        else:
            full = []
        for way in full:
            rest = list((Counter(way.makes) - Counter(flows)).elements())
            way.makes = tuple(sorted([*rest, name])) if kind == "parallelGateway" else (name,)
            self.net.places[name].waits |= way.waits
        if not any(flow in way.makes for _, way in self.ways() for flow in flows):
            del self.net.joins[name]
        return bool(full)

    @staticmethod
    def _alone(sources: list[tuple[str, Way]], flows: tuple[str, ...]) -> bool:
        """Do all tokens of the join come from one place, and all that this place makes go there (each flow once)?"""
        return (
            len({key for key, _ in sources}) == 1
            and "" not in {key for key, _ in sources}
            and all(set(way.makes) <= set(flows) and len(set(way.makes)) == len(way.makes) for _, way in sources)
        )

    def release_tails(self) -> None:
        """The last place of a branch is kept only where a circle could begin the branch anew beside it."""
        circles = self._circles()
        for key, place in self.net.places.items():
            sources = [(source, way) for source, way in self.ways() if key in way.makes]
            if len(place.ways) == 1 and not place.ways[0].makes and len(sources) == 1:
                source, way = sources[0]
                if source not in circles or len(way.makes) == 1:
                    self.released.add(key)

    def _circles(self) -> set[str]:
        """Places from which a token may come back."""
        ahead: dict[str, set[str]] = {key: set() for key in self.net.places}
        for key, way in self.ways():
            if key:
                ahead[key] |= {element_of(p) if element_of(p) in self.net.joins else p for p in way.makes}
        return {key for key in ahead if key in _beyond(ahead, key)}


def _beyond(ahead: dict[str, set[str]], key: str) -> set[str]:
    seen: set[str] = set()
    stack = list(ahead[key])
    while stack:
        each = stack.pop()
        if each not in seen:
            seen.add(each)
            stack += ahead.get(each, ())
    return seen


def _meet(key: str, sources: list[tuple[str, Way]]) -> bool:
    """May tokens of different origin come to this place? Of the ways that leave one place, only one happens."""
    several = len({source if source == again(element_of(source)) else element_of(source) for source, _ in sources}) > 1
    return several or any(way.makes.count(key) > 1 for _, way in sources)


def _replace(way: Way, key: str, onward: Way, waits: bool) -> None:
    made: list[str] = []
    for each in way.makes:
        made += onward.makes if each == key else (each,)
    way.makes, way.waits = tuple(sorted(made)), way.waits or waits
