"""Moving tokens: one ready token at a time, found in a queue, never by a scan."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from engine.bpmn import activities, compensation, conditions, events, gateways, loops, signatures, throwing, variables
from engine.bpmn.definition import Definition, Node, Scope
from engine.bpmn.faults import Exhausted, Fault, Thrown
from engine.bpmn.state import ScopeState, State, Token
from engine.bpmn.steps import Act, Entry, Sent
from engine.bpmn.timers import stamp
from engine.bpmn.values import Unstorable, private

LIMIT = 20_000
"""Steps the machine may take for one input, however the caller divides them."""
TOKENS = 5_000
CATCHING = frozenset({"intermediateCatchEvent", "eventBasedGateway", "receiveTask"})


class Machine:
    """Runs one case in memory during one call. Everything that lasts is in ``state``.

    The parts (gateways, loops, events …) are modules of functions over this object. ``strict``: while an input is
    taken in, a fault rejects the input instead of becoming an incident.
    """

    def __init__(self, definition: Definition, state: State, now: datetime) -> None:
        self.definition, self.state, self.now = definition, state, now
        self.entries: list[Entry] = []
        self.acts: list[Act] = []
        self.sent: list[Sent] = []
        self.changed = self.strict = False

    # -- stepping
    def run(self, budget: int) -> int:
        """Run ready tokens, oldest first, until none is left or ``budget`` steps are spent; what is left of it.

        Raises: Exhausted once the limit of one input is reached within this call.
        """
        state = self.state
        self.settle()
        while budget > 0 and state.ready:
            token = state.tokens.get(state.ready.popleft())
            if token is None or token.state != "ready":
                continue
            if len(state.tokens) > TOKENS:
                raise Exhausted("too_many_tokens")
            state.spent += 1
            budget -= 1
            self.guarded(token, lambda token=token: self.enter(token, self.node(token)))  # type: ignore[misc]
            self.settle()
            if state.spent >= LIMIT and self.live():
                raise Exhausted("budget_exhausted")
        return budget

    def settle(self) -> None:
        """After every step: conditional events first, then joins that nobody can reach any more."""
        while True:
            if self.changed:
                self.changed = False
                conditions.check(self)
            elif self.live() or not gateways.settle_joins(self):
                return

    def live(self) -> bool:
        """Is there a token to run? (Numbers of tokens that are gone may still stand in the queue.)"""
        ready, tokens = self.state.ready, self.state.tokens
        while ready and (ready[0] not in tokens or tokens[ready[0]].state != "ready"):
            ready.popleft()
        return bool(ready)

    def guarded(self, token: Token, work: Callable[[], None]) -> None:
        """A BPMN error goes to its catcher; any other failure parks the token with an incident."""
        try:
            work()
        except Thrown as error:
            throwing.raise_code(self, "error", error.code, error.payload, token)
        except (Fault, Unstorable) as fault:
            if self.strict:
                raise
            self.fail(token, fault.code if isinstance(fault, Fault) else "value_not_storable")

    def fail(self, token: Token, code: str) -> None:
        """The token stays where it is with an incident; what ran inside it is cancelled."""
        if token.id in self.state.tokens:
            self.end_inner(token)
            token.state, token.incident = "failed", [code, stamp(self.now)]
        self.note("incident.raised", token, detail={"code": code})

    def enter(self, token: Token, node: Node) -> None:
        """A token has come to ``node`` and it is its turn; a retry begins with the stage that failed."""
        if token.stage == "leave":
            return self.leave(token, node)
        if token.stage == "finish":
            return self.finish(token, node)
        fresh = token.instance is None and token.after is None
        if token.stage == "new":
            self.arrived(token)
        if fresh and token.stage == "entered":
            if node.start_quantity > 1 and not gateways.enough(self, token, node):
                return None
            token.stage = "begun"
        if fresh and node.boundary and not token.subs:
            if node.loop is None:
                activities.prepare(self, token, node)  # a boundary timer may use what the script before sets
            events.arm_boundary(self, token, node)
            if token.id not in self.state.tokens:
                return None
        if node.loop and token.instance is None:
            return loops.begin(self, token, node)
        return activities.ENTER[node.kind](self, token, node)

    # -- finishing
    def finish(self, token: Token, node: Node) -> None:
        """An activity has done its work: after-script, then either its loop goes on or the token leaves."""
        token.stage = "finish"
        variables.run_script(self, token, node, node.after)
        if token.instance is not None:
            self.completed(token, node)
            return self.remove(token)
        return self.leave(token, node)

    def leave(self, token: Token, node: Node) -> None:
        """The token passes on along the outgoing flows of ``node``, or ends here."""
        token.stage = "leave"
        flows = gateways.choose(self, token, node)
        self.completed(token, node)
        compensation.remember(self, token, node)
        for _ in range(node.completion_quantity):
            for flow in flows:
                self.put(flow.target, token.scope, flow.id)
        self.remove(token)

    def arrived(self, token: Token) -> None:
        """Note once that a token is at its element."""
        token.stage = "entered"
        detail = {} if token.instance is None else {"instance": token.instance}
        self.note("element.entered", token, flow=token.flow, detail=detail)

    def completed(self, token: Token, node: Node) -> None:
        """Note once that the element is done, with its acts (of a repeated activity: when all of it is done)."""
        if token.stage == "done":
            return
        token.stage = "done"
        self.note("element.completed", token)
        if token.instance is None and node.kind != "boundaryEvent" and not token.reset:
            self.perform(token, node)
        named = node.properties.get("outcome") if node.kind == "endEvent" else None
        if named and self._belongs_to_root(token):
            self.state.named = named

    def perform(self, token: Token, node: Node) -> None:
        """The acts drawn on the node."""
        if not node.acts:
            return
        seen = private(variables.read(self, token.scope))
        for verb, name in node.acts:
            self.acts.append(
                Act(
                    verb=verb,
                    name=name,
                    element=node.path,
                    at=self.now,
                    token=token.id,
                    scope=token.scope,
                    variables=seen,
                    properties=node.properties,
                )
            )

    def _belongs_to_root(self, token: Token) -> bool:
        """Does the element lie in the root process itself, not in a called one?"""
        return self.state.scopes[token.scope].of.split("/")[0] == self.definition.root

    # -- tokens
    def node(self, token: Token) -> Node:
        """The element a token stands at."""
        return self.scope_of(token).nodes[token.node]

    def scope_of(self, token: Token) -> Scope:
        """The drawn scope a token stands in."""
        return self.definition.scopes[self.state.scopes[token.scope].of]

    def path(self, token: Token) -> str:
        """The path of the element a token stands at."""
        return f"{self.state.scopes[token.scope].of}/{token.node}"

    def put(self, name: str, scope: int, flow: str | None = None, state: str = "ready", **more: Any) -> Token:
        """A new token at node ``name``."""
        token = Token(self.state.next(), name, scope, state, flow=flow, **more)
        self.state.tokens[token.id] = token
        self.state.scopes[scope].live += 1
        if state == "ready":
            self.queue(token)
        return token

    def queue(self, token: Token) -> None:
        """Oldest first, but whoever only begins to listen does so before anybody speaks."""
        ready = self.state.ready
        if self.node(token).kind not in CATCHING:
            ready.append(token.id)
            return
        place = 0
        for number in ready:
            other = self.state.tokens.get(number)
            if other is None or self.node(other).kind not in CATCHING:
                break
            place += 1
        ready.insert(place, token.id)

    def remove(self, token: Token) -> None:
        """Take the token away; its scope ends with its last token."""
        self.discard(token)
        scope = self.state.scopes[token.scope]
        if scope.live == 0:
            self.end(scope)

    def discard(self, token: Token) -> None:
        """Take the token and what it waits for away."""
        events.unsubscribe(self, token.subs)
        del self.state.tokens[token.id]
        self.state.scopes[token.scope].live -= 1

    def kill(self, token: Token) -> None:
        """Cancel a token and all that runs inside it; its scope is not asked to end.

        One that has gone already, with the work item it was to sign at, is left alone.
        """
        if token.id not in self.state.tokens:
            return
        if token.stage not in ("new", "done"):
            self.note("element.cancelled", token)
        self.end_inner(token)
        self.discard(token)

    def end_inner(self, token: Token) -> None:
        """Cancel what runs inside an activity, and who was asked to sign at it."""
        if token.rounds:
            signatures.cancel(self, token)
        for scope in [s for s in self.state.scopes.values() if s.token == token.id]:
            self.clear(scope)
            del self.state.scopes[scope.id]

    def clear(self, scope: ScopeState, keep: int | None = None) -> None:
        """Cancel everything in a scope but the token ``keep``."""
        for token in [t for t in self.state.tokens.values() if t.scope == scope.id and t.id != keep]:
            if token.id in self.state.tokens:
                self.kill(token)
        events.unsubscribe(self, scope.subs)
        scope.counts.clear()

    # -- scopes
    def open(
        self, of: str, kind: str, owner: int | None, frame: dict[str, Any] | None = None, *, start: bool = True
    ) -> ScopeState:
        """Begin a scope: its variables, its event sub-processes, its first tokens."""
        drawn = self.definition.scopes[of]
        if frame is None and drawn.data_objects:
            frame = {}
        scope = self.add_scope(of, kind, owner, frame, dict.fromkeys(drawn.data_objects) if frame is not None else {})
        events.arm_handlers(self, scope, drawn)
        if start and scope.id in self.state.scopes:
            starts = list(drawn.starts)
            if drawn.kind == "adHocSubProcess" and drawn.sequential:
                starts, scope.rest = starts[:1], starts[1:]
            for name in starts:
                self.put(name, scope.id)
            if not starts and scope.live == 0:
                self.end(scope)
        return scope

    def add_scope(
        self, of: str, kind: str, owner: int | None, frame: dict[str, Any] | None, blank: dict[str, Any]
    ) -> ScopeState:
        """The bare scope with its first variables, both noted."""
        scope = ScopeState(self.state.next(), of, kind, owner, frame=None if frame is None else dict(blank))
        self.state.scopes[scope.id] = scope
        element = self.path(self.state.tokens[owner]) if owner is not None else of
        detail = {"of": of, "owner": owner}
        self.entries.append(
            Entry(kind="scope.opened", at=self.now, element=element, scope=scope.id, token=owner, detail=detail)
        )
        if frame:
            variables.write(self, scope.id, frame, element, owner, here=True)
        return scope

    def end(self, scope: ScopeState) -> None:
        """A scope has no token left: give its result to the activity it belongs to."""
        if scope.id not in self.state.scopes:
            return None
        if scope.rest and not self._adhoc_complete(scope):
            self.put(scope.rest.pop(0), scope.id)
            return None
        if scope.counts and gateways.settle_scope(self, scope):
            return None  # a complex gateway had not reset yet; what that leaves ends the scope
        events.unsubscribe(self, scope.subs)
        if scope.token is None:
            self.state.outcome = self.state.outcome or self.state.named or "completed"
            return None
        token = self.state.tokens[scope.token]
        node = self.node(token)
        del self.state.scopes[scope.id]
        if scope.kind == "instance":
            return self.guarded(token, lambda: loops.instance_done(self, token, node, scope))
        if scope.kind == "job":
            return compensation.next_job(self, token, node)
        if scope.kind == "handler":
            self.completed(token, node)
            return self.remove(token)
        token.done = scope.done
        return self.guarded(token, lambda: self._closed(token, node, scope))

    def _closed(self, token: Token, node: Node, scope: ScopeState) -> None:
        if scope.kind == "call":
            token.stage = "finish"  # an operator who retries goes on without the missing output
            variables.take_results(self, token, scope)
        self.finish(token, node)

    def _adhoc_complete(self, scope: ScopeState) -> bool:
        condition = self.definition.scopes[scope.of].condition
        return bool(condition and variables.evaluate(self, scope.id, condition))

    # -- history
    def note(self, kind: str, token: Token, flow: str | None = None, detail: dict[str, Any] | None = None) -> None:
        """One line of history about a token."""
        self.entries.append(
            Entry(
                kind=kind,
                at=self.now,
                element=self.path(token),
                scope=token.scope,
                token=token.id,
                flow=flow,
                detail=detail or {},
            )
        )
