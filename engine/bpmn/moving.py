"""Moving a running case to another release: the same tokens where their elements still exist, else mapped or refused.

Elements are compared scope by scope: a token may move to another element of its scope, never into another scope. Open
work keeps its role, its scope and (with the host) its form; what is waited for keeps its moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.bpmn import rearming, variables
from engine.bpmn.activities import WORK
from engine.bpmn.definition import Definition, Node, Scope
from engine.bpmn.faults import Exhausted
from engine.bpmn.fitting import misfit, starved
from engine.bpmn.machine import LIMIT, Machine
from engine.bpmn.runtime import load, step_of
from engine.bpmn.sentences import describe
from engine.bpmn.state import ScopeState, Token
from engine.bpmn.steps import Entry, Step
from engine.bpmn.values import Unstorable
from engine.errors import Finding, InputRejected

KEPT, MAPPED, ARMED, DROPPED, REFUSED = "kept", "mapped", "armed", "dropped", "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What becomes of one thing of the case.

    ``what``: token, scope or wait, with its running ``number``; ``element`` is its path in the old release (empty for
    what is new), ``target`` in the new one (empty where there is none). ``verdict``: kept, mapped, armed (waited for
    from now on), dropped (not waited for any more) or refused; ``rule`` says why it is refused.
    """

    what: str
    number: int
    element: str
    target: str
    verdict: str
    rule: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a migration would do: ``findings`` is what stands against it, ``step`` what it leads to if nothing does."""

    lines: tuple[Line, ...]
    findings: tuple[Finding, ...]
    step: Step | None

    @property
    def fits(self) -> bool:
        """Can it be done?"""
        return not self.findings


def plan(
    old: Definition,
    new: Definition,
    state: bytes,
    now: datetime,
    mapping: Mapping[str, str],
    *,
    values: Mapping[str, Any] | None = None,
) -> Plan:
    """What becomes of every token, scope and subscription, and everything that stands against it. Nothing is changed.

    ``mapping`` leads from paths of elements (or of flows on which tokens wait at joins) in the old release to paths in
    the new one; ``values`` are inputs that the new release declares and the case lacks.

    Raises: InputRejected (unknown state, other definition), CaseEnded.
    """
    return _Move(old, new, load(old, state, now), mapping, dict(values or {})).plan()


def migrate(
    old: Definition,
    new: Definition,
    state: bytes,
    now: datetime,
    mapping: Mapping[str, str],
    *,
    values: Mapping[str, Any] | None = None,
) -> Step:
    """The case in the new release.

    Joins are looked at again by the new diagram; what waits for events goes on waiting, with the moments it had.

    Raises: InputRejected with every finding of the plan, CaseEnded. Nothing has happened then.
    """
    found = plan(old, new, state, now, mapping, values=values)
    if found.step is None:
        raise InputRejected(list(found.findings), "The case does not fit the other release", code="migration")
    return found.step


class _Move:
    """One migration. The machine's state is a copy of the case's: changed on the way, thrown away if refused."""

    def __init__(
        self, old: Definition, new: Definition, machine: Machine, mapping: Mapping[str, str], values: dict[str, Any]
    ) -> None:
        self.old, self.new, self.mapping, self.values = old, new, mapping, values
        self.machine = Machine(new, machine.state, machine.now)
        self.machine.state.definition = new.digest
        self.lines: list[Line] = []
        self.findings: list[Finding] = []
        self.stood: dict[int, Node] = {}
        self.were: dict[int, Scope] = {}
        self.starving: dict[int, set[str]] = {}

    def plan(self) -> Plan:
        """Look at everything; only where nothing stands against it, arm and run."""
        self._check_mapping()
        state = self.machine.state
        root = next(scope for scope in state.scopes.values() if scope.token is None)
        self._scope(root, self.new.root if self.new.root == self.old.root else None)
        self._inputs()
        if not self.findings:
            self._waits()
        if not self.findings:
            self._joins()
        step = None if self.findings else self._run()
        return Plan(lines=tuple(self.lines), findings=tuple(self.findings), step=step)

    # -- what stands against it
    def _against(self, where: str, rule: str) -> None:
        zh, en = describe(rule)
        self.findings.append(Finding(where=where, rule=rule, zh=zh, en=en))

    def _check_mapping(self) -> None:
        for source, target in self.mapping.items():
            if not _exists(self.old, source):
                self._against(source, "mapping_source")
            if not _exists(self.new, target):
                self._against(target, "mapping_target")

    # -- tokens and scopes, from the outermost in
    def _scope(self, scope: ScopeState, becomes: str | None) -> None:
        """``becomes`` is the drawn scope in the new release, None where the activity around it could not move."""
        drawn = self.new.scopes.get(becomes or "")
        was = self.were[scope.id] = self.old.scopes[scope.of]
        if drawn is None and scope.token is None:
            self._against(scope.of, "other_process")
        tokens = self._tokens(scope)
        self.starving[scope.id] = starved(was, tokens) if scope.kind != "instance" else set()
        for token in tokens:
            node = self._token(token, was, drawn)
            for inner in [s for s in self.machine.state.scopes.values() if s.token == token.id]:
                self._scope(inner, self._inner(inner, was, drawn, node))
        if drawn is not None:
            self._refit(scope, was, drawn)

    def _tokens(self, scope: ScopeState) -> list[Token]:
        return [token for token in self.machine.state.tokens.values() if token.scope == scope.id]

    def _inner(self, inner: ScopeState, was: Scope, drawn: Scope | None, node: Node | None) -> str | None:
        if node is None or drawn is None:
            return None
        if inner.kind == "job":
            return drawn.name if inner.of == was.name else inner.of
        return {"call": node.called, "instance": drawn.name}.get(inner.kind, node.inner)

    def _token(self, token: Token, was: Scope, drawn: Scope | None) -> Node | None:
        """Put a token where it belongs in the new release; None (and a finding) where it belongs nowhere."""
        stood = self.stood[token.id] = was.nodes[token.node]
        if drawn is None:
            self._line("token", token.id, stood.path, "", verdict=REFUSED, rule="inside")
            return None
        target = self.mapping.get(stood.path, f"{drawn.name}/{token.node}")
        scope, _, ident = target.rpartition("/")
        node = drawn.nodes.get(ident) if scope == drawn.name else None
        flow = self._flow(was, drawn, token.flow) if token.flow else None
        if node is None:
            rule = "other_scope" if _exists(self.new, target) else "gone"
        elif (node.id in drawn.handlers) != (stood.id in was.handlers):
            rule = "other_kind"
        else:
            rule = misfit(token, stood, node, flow)
        if node is None or rule:
            self._line("token", token.id, stood.path, "", verdict=REFUSED, rule=rule)
            self._against(stood.path, rule)
            return None
        moved = node.path != stood.path
        self._line("token", token.id, stood.path, node.path, verdict=MAPPED if moved else KEPT)
        if moved and token.stage not in ("new", "done"):
            self._told(token, stood.path, node.path)
        token.node, token.flow = node.id, flow
        token.jobs = [self._job(job) for job in token.jobs] if token.jobs else token.jobs
        return node

    def _line(self, what: str, number: int, element: str, target: str, *, verdict: str, rule: str = "") -> None:
        self.lines.append(Line(what=what, number=number, element=element, target=target, verdict=verdict, rule=rule))

    def _told(self, token: Token, left: str, reached: str) -> None:
        """History leaves the old element and enters the new one, so that positions folded from it are right."""
        for kind, path, word, other in (
            ("element.cancelled", left, "moved_to", reached),
            ("element.entered", reached, "moved_from", left),
        ):
            entry = Entry(
                kind=kind, at=self.machine.now, element=path, scope=token.scope, token=token.id, detail={word: other}
            )
            self.machine.entries.append(entry)

    def _flow(self, was: Scope, drawn: Scope, flow: str) -> str:
        target = self.mapping.get(f"{was.name}/{flow}", "")
        return target.rpartition("/")[2] if target.rpartition("/")[0] == drawn.name else flow

    # -- what a scope remembers
    def _refit(self, scope: ScopeState, was: Scope, drawn: Scope) -> None:
        """Names kept beside the tokens: started joins, the rest of an ad-hoc sub-process, what can be undone."""
        if any(name not in drawn.nodes for name in scope.rest):
            self._against(was.name, "gone")
        # Tokens at joins are counted again when they arrive again; only what a complex join has let pass is kept.
        fired = {key: flows for key, flows in scope.counts.items() if key.startswith("fired:")}
        scope.counts = {
            "fired:" + self._ident(was, drawn, key[6:]): {self._flow(was, drawn, f): n for f, n in flows.items()}
            for key, flows in fired.items()
        }
        scope.done = [self._undoable(record) for record in scope.done]
        calls = {self._ident(was, drawn, name): inputs for name, inputs in scope.calls.items()}
        scope.calls = {name: inputs for name, inputs in calls.items() if name in drawn.nodes}
        if drawn.data_objects and scope.kind != "instance":
            scope.frame = {**dict.fromkeys(drawn.data_objects), **(scope.frame or {})}
        if was.name != drawn.name:
            self._line("scope", scope.id, was.name, drawn.name, verdict=MAPPED)
        scope.of = drawn.name

    def _ident(self, was: Scope, drawn: Scope, ident: str) -> str:
        scope, _, target = self.mapping.get(f"{was.name}/{ident}", "").rpartition("/")
        return target if scope == drawn.name else ident

    def _undoable(self, record: dict[str, Any]) -> dict[str, Any]:
        """A completed activity that can be undone must be undone by the same element of the new release."""
        if "run" in record:
            return self._job(record)
        if record.get("handler") is not None and record["handler"] not in self.new.scopes:
            self._against(record["of"] + "/" + record["node"], "undo_gone")
        return {**record, "inner": [self._undoable(each) for each in record["inner"]]}

    def _job(self, job: dict[str, Any]) -> dict[str, Any]:
        drawn = self.new.scopes.get(job["of"])
        if drawn is None or ("run" in job and job["run"] not in drawn.nodes):
            self._against(f"{job['of']}/{job.get('run', '')}".rstrip("/"), "undo_gone")
        return job

    # -- variables
    def _inputs(self) -> None:
        """Every process in the case has all its declared inputs."""
        given = dict(self.values)
        for scope in self.machine.state.scopes.values():
            process = self.new.processes.get(scope.of)
            if process is None or scope.kind not in ("process", "call"):
                continue
            missing = [name for name in process.inputs if name not in (scope.frame or {})]
            values = {name: self.values[name] for name in missing if name in self.values}
            for name in missing:
                given.pop(name, None)
                if name not in self.values:
                    self._against(f"variables.{name}", "input_missing")
            try:
                scope.frame = {} if scope.frame is None else scope.frame
                variables.write(self.machine, scope.id, values, scope.of, scope.token, here=True)
            except Unstorable:
                self._against(scope.of, "value_not_storable")
        for name in given:
            self._against(f"variables.{name[:40]}", "not_lacking")

    # -- what is waited for, and joins
    def _waits(self) -> None:
        """What is waited for; a token that would wait for nothing at all is refused."""
        for each in rearming.rearm(self.machine, self.old, self.stood, self.were, self._ident):
            drawn = ARMED if not each.element else KEPT if each.target else DROPPED
            verdict = REFUSED if each.rule else drawn
            self._line("wait", each.number, each.element, each.target, verdict=verdict, rule=each.rule)
            if each.rule:
                self._against(each.target, each.rule)
        for token in self.machine.state.tokens.values():
            node = self.machine.node(token)
            if token.state == "waiting" and node.kind not in WORK and not token.subs:
                self._against(node.path, "nothing_to_wait_for")

    def _joins(self) -> None:
        """A join that a token has come to, or can come to, must still get a token on every flow it waits for."""
        for scope in self.machine.state.scopes.values():
            if scope.kind == "instance":
                continue
            drawn, was = self.new.scopes[scope.of], self.were[scope.id]
            before = {self._ident(was, drawn, name) for name in self.starving[scope.id]}
            for name in sorted(starved(drawn, self._tokens(scope)) - before):
                self._against(f"{scope.of}/{name}", "join_starved")

    def _run(self) -> Step | None:
        """Tokens at joins arrive once more, conditions are looked at, then the machine runs to rest."""
        for token in self.machine.state.tokens.values():
            if token.state == "parked":
                token.state = "ready"
                self.machine.queue(token)
        try:
            self.machine.state.spent = 0
            self.machine.run(LIMIT)
            step = step_of(self.machine)
        except Exhausted as error:
            self._against(self.new.root, error.code)
            return None
        if step.stuck:
            self._against(self.new.root, "deadlock")
            return None
        return step


def _exists(definition: Definition, path: str) -> bool:
    """Is there an element or a flow at this path?"""
    scope, _, ident = path.rpartition("/")
    drawn = definition.scopes.get(scope)
    if drawn is None:
        return False
    return ident in drawn.nodes or any(flow.id == ident for node in drawn.nodes.values() for flow in node.outgoing)
