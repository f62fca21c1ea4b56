"""Small diagrams in code, and a player that makes every call twice: at once, and reloaded after every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from engine import bpmn
from engine.bpmn import Definition, Entry, Step
from engine.bpmn.state import decode, encode
from engine.bpmn.values import pack

T0 = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
SPACES = (
    'xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" '
    'xmlns:spiffworkflow="http://spiffworkflow.org/bpmn/schema/1.0/core" id="defs" targetNamespace="tests"'
)
ROOTS = (
    '<signal id="sig" name="sig"/><message id="msg" name="msg"/><message id="msg2" name="msg2"/>'
    '<error id="err" errorCode="E1"/><error id="err2" errorCode="E2"/>'
    '<escalation id="esc" escalationCode="X1"/>'
)
EVENTS = {
    "sig": '<signalEventDefinition signalRef="sig"/>',
    "msg": '<messageEventDefinition messageRef="msg"/>',
    "msg2": '<messageEventDefinition messageRef="msg2"/>',
    "err": '<errorEventDefinition errorRef="err"/>',
    "err2": '<errorEventDefinition errorRef="err2"/>',
    "anyerr": "<errorEventDefinition/>",
    "esc": '<escalationEventDefinition escalationRef="esc"/>',
    "term": "<terminateEventDefinition/>",
    "comp": "<compensateEventDefinition/>",
    "cancel": "<cancelEventDefinition/>",
    "": "",
}


def text(content: str) -> str:
    return content.replace("&", "&amp;").replace("<", "&lt;")


def event(words: str) -> str:
    """'sig', 'msg into x', 'timer PT1H', 'cycle R2/PT1H', 'date …', 'link A', 'when x > 1' -> an event definition."""
    kind, _, rest = words.partition(" ")
    if kind in ("timer", "cycle", "date"):
        name = {"timer": "timeDuration", "cycle": "timeCycle", "date": "timeDate"}[kind]
        return f"<timerEventDefinition><{name}>{text(rest)}</{name}></timerEventDefinition>"
    if kind == "link":
        return f'<linkEventDefinition name="{rest}"/>'
    if kind == "when":
        return f"<conditionalEventDefinition><condition>{text(rest)}</condition></conditionalEventDefinition>"
    if rest:
        return message(rest.removeprefix("into "), ref=kind)
    return EVENTS[kind]


def message(variable: str = "", payload: str = "", key: str = "", ref: str = "msg") -> str:
    inner = f"<spiffworkflow:messageVariable>{variable}</spiffworkflow:messageVariable>" if variable else ""
    inner += f"<spiffworkflow:messagePayload>{text(payload)}</spiffworkflow:messagePayload>" if payload else ""
    if key:
        inner += (
            "<spiffworkflow:processVariableCorrelation><spiffworkflow:propertyId>key</spiffworkflow:propertyId>"
            f"<spiffworkflow:expression>{text(key)}</spiffworkflow:expression>"
            "</spiffworkflow:processVariableCorrelation>"
        )
    return f'<messageEventDefinition messageRef="{ref}">{extensions(inner)}</messageEventDefinition>'


def extensions(inner: str) -> str:
    return f"<extensionElements>{inner}</extensionElements>" if inner else ""


def properties(variable: str = "", **given: str) -> str:
    inner = "".join(f'<spiffworkflow:property name="{k}" value="{text(v)}"/>' for k, v in given.items())
    inner = f"<spiffworkflow:properties>{inner}</spiffworkflow:properties>" if inner else ""
    return extensions(
        inner + (f"<spiffworkflow:variableName>{variable}</spiffworkflow:variableName>" if variable else "")
    )


def element(kind: str, ident: str, inner: str = "", **attributes: str) -> str:
    extra = "".join(f' {k}="{v}"' for k, v in attributes.items())
    return f'<{kind} id="{ident}"{extra}>{inner}</{kind}>'


def start(ident: str = "s", on: str = "", **a: str) -> str:
    return element("startEvent", ident, event(on), **a)


def end(ident: str = "e", on: str = "", inner: str = "") -> str:
    return element("endEvent", ident, inner + event(on))


def user(ident: str, inner: str = "", **a: str) -> str:
    return element("userTask", ident, inner, **a)


def task(ident: str, inner: str = "", **a: str) -> str:
    """An automatic step that does nothing."""
    return element("scriptTask", ident, inner, **a)


def catch(ident: str, on: str, **a: str) -> str:
    return element("intermediateCatchEvent", ident, event(on), **a)


def throw(ident: str, on: str = "", inner: str = "") -> str:
    return element("intermediateThrowEvent", ident, inner + event(on))


def boundary(ident: str, to: str, on: str, cancel: bool = True, inner: str = "") -> str:
    return element("boundaryEvent", ident, inner + event(on), attachedToRef=to, cancelActivity=str(cancel).lower())


def sub(ident: str, *body: str, kind: str = "subProcess", **a: str) -> str:
    return element(kind, ident, "".join(body), **a)


def handler(ident: str, *body: str) -> str:
    return sub(ident, *body, triggeredByEvent="true")


def script(ident: str, code: str, inner: str = "", **a: str) -> str:
    return element("scriptTask", ident, inner + f"<script>{text(code)}</script>", **a)


def call(ident: str, key: str, inner: str = "") -> str:
    return element("callActivity", ident, inner, calledElement=key)


def gateway(ident: str, kind: str = "parallel", **a: str) -> str:
    return element(kind + "Gateway", ident, **a)


def flow(*names: str, when: str = "", ident: str = "") -> str:
    """A chain of flows; ``when`` is the condition of a single one."""
    made = []
    for a, b in pairwise(names):
        condition = f"<conditionExpression>{text(when)}</conditionExpression>" if when else ""
        made.append(element("sequenceFlow", ident or f"{a}_{b}", condition, sourceRef=a, targetRef=b))
    return "".join(made)


def io(inputs: str = "", outputs: str = "") -> str:
    puts = "".join(element("dataInput", name, name=name) for name in inputs.split())
    puts += "".join(element("dataOutput", name, name=name) for name in outputs.split())
    return f"<ioSpecification>{puts}<inputSet/><outputSet/></ioSpecification>"


def lane(ident: str, scope: str, *nodes: str, name: str = "", inner: str = "") -> str:
    refs = "".join(f"<flowNodeRef>{n}</flowNodeRef>" for n in nodes)
    more = f"<childLaneSet id='{ident}_lanes'>{inner}</childLaneSet>" if inner else ""
    return element("lane", ident, properties(scope=scope) + refs + more, name=name or ident)


def lanes(*each: str) -> str:
    return element("laneSet", "lanes", "".join(each))


def process(*body: str, ident: str = "P", more: str = "") -> bytes:
    inside = f'<process id="{ident}" isExecutable="true">{"".join(body)}</process>'
    return f"<definitions {SPACES}>{ROOTS}{more}{inside}</definitions>".encode()


def definition(*bodies: bytes, decisions: Mapping[str, bytes] | None = None) -> Definition:
    """The first body's process linked with the others."""
    made = [bpmn.compile_process(xml, f"{n}.bpmn", decisions or {}) for n, xml in enumerate(bodies)]
    return bpmn.link(made[0].key, {p.key: p for p in made})


def fingerprint(thing: Any, seen: dict[int, int] | None = None) -> str:
    """A deep picture of an object graph, to prove that running does not change definitions."""
    seen = {} if seen is None else seen
    if thing is None or isinstance(thing, str | int | float | bool | bytes):
        return repr(thing)
    if id(thing) in seen:
        return f"#{seen[id(thing)]}"
    seen[id(thing)] = len(seen)
    if isinstance(thing, Mapping):
        return "{" + ",".join(f"{k!r}:{fingerprint(v, seen)}" for k, v in thing.items()) + "}"
    if isinstance(thing, list | tuple | set | frozenset):
        return "[" + ",".join(fingerprint(v, seen) for v in thing) + "]"
    names = getattr(type(thing), "__slots__", None) or getattr(thing, "__dict__", {}).keys()
    parts = (f"{name}={fingerprint(getattr(thing, name), seen)}" for name in names if hasattr(thing, name))
    return f"{type(thing).__name__}({','.join(parts)})"


def audit(state: bytes) -> None:
    """What must hold in every state: counts, owners and subscriptions agree."""
    s = decode(state)
    for scope in s.scopes.values():
        assert scope.live == sum(t.scope == scope.id for t in s.tokens.values()), "live count"
        assert scope.token is None or scope.token in s.tokens, "scope without owner"
        assert s.outcome is not None or scope.live > 0, "empty scope left open"
    for each in s.subs.values():
        owner: Any = s.tokens.get(each.token) if each.token is not None else s.scopes.get(each.scope or 0)
        assert owner is not None, "subscription without owner"
        assert each.id in owner.subs, "subscription unknown to its owner"
    assert sum(len(x.subs) for x in [*s.tokens.values(), *s.scopes.values()]) == len(s.subs)
    assert s.outcome is None or not s.tokens, "tokens after the end"


def audit_history(history: list[Entry], state: bytes) -> None:
    """Positions and variables folded from the entries are those of the state."""
    s, here, frames = decode(state), set[tuple[int | None, str]](), dict[tuple[int, str], Any]()
    for entry in history:
        place = (entry.token, entry.element)
        if entry.kind == "element.entered":
            assert place not in here, f"{place} entered twice"
            here.add(place)
        elif entry.kind in ("element.completed", "element.cancelled"):
            assert place in here, f"{place} left without having entered"
            here.remove(place)
        elif entry.kind == "scope.opened":  # a scope opened once more (recall) begins without variables
            frames = {where: value for where, value in frames.items() if where[0] != entry.scope}
        for name, (old, new) in (entry.values or {}).items():
            where = (entry.detail["frame"], name)
            assert frames.get(where) == old, f"old value of {name}"
            frames[where] = new
    alive = {(t.id, f"{s.scopes[t.scope].of}/{t.node}") for t in s.tokens.values() if t.stage not in ("new", "done")}
    assert here == alive, "positions differ"
    for scope in s.scopes.values():
        for name, value in (scope.frame or {}).items():
            assert frames.get((scope.id, name)) == pack(value), f"value of {name} differs"


class Play:
    """One case. Every call is made twice from the same bytes; outcome, history and bytes must be equal."""

    def __init__(
        self,
        *body: str,
        data: dict[str, Any] | None = None,
        at: str | None = None,
        files: tuple[bytes, ...] = (),
        decisions: Mapping[str, bytes] | None = None,
        payload: Any = None,
    ) -> None:
        self.definition = definition(*(files or (process(*body),)), decisions=decisions)
        self.print = fingerprint(self.definition)
        self.now = T0
        self.history: list[Entry] = []
        self.sent: list[Any] = []
        self.acts: list[Any] = []
        self.moments: dict[str, datetime] = {}
        self.step: Step
        self.call(bpmn.start, self.now, data or {}, business_key="K1", at=at, payload=payload)

    def call(self, function: Callable[..., Step], *given: Any, state: bytes | None = None, **named: Any) -> Play:
        lead = (self.definition,) if state is None else (self.definition, state)
        step = function(*lead, *given, **named)
        parts = list(self._slowly(function, lead, given, named))
        assert parts[-1].state == step.state, "reloading changes the state"
        for name in ("entries", "acts", "sent"):
            assert [x for part in parts for x in getattr(part, name)] == list(getattr(step, name)), name
        assert not step.more
        assert encode(decode(step.state)) == step.state
        audit(step.state)
        assert fingerprint(self.definition) == self.print, "the shared definition has changed"
        self.step = step
        self.history += step.entries
        self.sent += step.sent
        self.acts += step.acts
        audit_history(self.history, step.state)
        return self

    def _slowly(self, function: Any, lead: Any, given: Any, named: Any) -> Any:
        step = function(*lead, *given, **named, budget=1)
        yield step
        while True:
            while step.more:
                step = bpmn.resume(self.definition, encode(decode(step.state)), self.now, budget=1)
                yield step
            if function is not bpmn.fire or step.outcome:
                return
            step = bpmn.fire(self.definition, step.state, *given, **named, budget=1)
            yield step
            if not step.entries and not step.more:
                return

    def complete(self, node: str, data: dict[str, Any] | None = None, pick: int = 0, error: str | None = None) -> Play:
        item = [w for w in self.step.work if w.element.endswith("/" + node)][pick]
        return self.call(bpmn.complete, self.now, item.token, data or {}, state=self.step.state, error=error)

    def deliver(self, kind: str, name: str, payload: Any = None) -> Play:
        """Give it as the host does: a message to who has waited longest, a signal to all that wait now."""
        found = [w.number for w in self.step.waits if (w.kind, w.name) == (kind, name)]
        assert found, f"nothing waits for {name}"
        for number in found if kind == "signal" else found[:1]:
            if any(w.number == number for w in self.step.waits):
                self.call(bpmn.deliver, self.now, number, payload, state=self.step.state)
        return self

    def later(self, **delta: float) -> Play:
        self.now += timedelta(**delta)
        return self.call(bpmn.fire, self.now, self.moments, state=self.step.state)

    def retry(self) -> Play:
        return self.call(bpmn.resume, self.now, retry=self.step.incidents[0].token, state=self.step.state)

    @property
    def open(self) -> list[str]:
        return sorted(w.element.rpartition("/")[2] for w in self.step.work)

    @property
    def codes(self) -> list[str]:
        return [i.code for i in self.step.incidents]

    @property
    def due(self) -> datetime | None:
        return bpmn.next_due(self.step, self.moments)

    @property
    def data(self) -> dict[str, Any]:
        return bpmn.read(self.definition, self.step.state)

    @property
    def outcome(self) -> str | None:
        return self.step.outcome

    def done(self, kind: str = "element.completed") -> list[str]:
        """Elements in the order of their entries of this kind."""
        return [h.element.rpartition("/")[2] for h in self.history if h.kind == kind]
