"""A hundred diagrams with a fault in their control flow, and the element that has to be named."""

from __future__ import annotations

from dataclasses import dataclass

from tests.gate_cases.drawing import drawn


@dataclass(frozen=True, slots=True)
class Case:
    """``text`` is the process P, ``others`` those it calls; ``file`` holds the fault."""

    name: str
    rule: str
    element: str
    text: str
    others: tuple[tuple[str, str], ...] = ()
    file: str = "P"

    def files(self) -> dict[str, bytes]:
        return {"P": drawn(self.text), **{key: drawn(text, key) for key, text in self.others}}


FAILS = ("Q", "s>x>e,e1 e1!err")
"""A called process that may fail with E1."""
WARNS = ("Q", "s>f>e f!esc")
"""A called process that escalates."""

DEADLOCKS = [
    ("exclusive split, parallel join", "p", "s>x>a,b a>p b>p p>e"),
    ("exclusive split of three, parallel join", "p", "s>x>a,b,c a>p b>p c>p p>e"),
    ("inclusive split, parallel join", "p", "s>o>a,b a>p b>p p>e"),
    ("conditional flows out of a task, parallel join", "p", "s>u u?a u?b a>p b>p p>e"),
    ("a conditional and a plain flow out of a task, parallel join", "p", "s>u u>a u?b a>p b>p p>e"),
    ("event-based gateway, parallel join", "p", "s>g>m1,m2 m1!msg m2!timer m1>p m2>p p>e"),
    ("event-based gateway with a receive task, parallel join", "p", "s>g>r,m2 m2!timer r>p m2>p p>e"),
    ("a join that waits for its own successor", "p", "s>p p>a>x>p,e"),
    ("two joins that wait for each other", "p1", "s>p>a,b a>p1 b>p2 p1>p2 p2>p1 p2>c>e"),
    ("an activity and what interrupts it, joined", "p", "s>a>p b1@a=timer b1>p p>e"),
    ("an activity and what may happen beside it, joined", "p", "s>a>p b1@a~timer b1>p p>e"),
    ("a message that may come beside a sub-process, joined", "p", "s>q>p q{ s1>a>e1 } b1@q~msg b1>b>p p>e"),
    ("one branch of a pair may leave", "p1", "s>p>a,b a>x>p1,e1 b>p1 p1>e"),
    ("both branches of a pair may leave", "p1", "s>p>a,b a>x>p1,e1 b>x2>p1,e2 p1>e"),
    ("a third branch that is only sometimes taken", "p1", "s>p>a,b,x x>c,e1 a>p1 b>p1 c>p1 p1>e"),
    ("a third flow from a choice before the split", "p1", "s>x>p,c p>a,b a>p1 b>p1 c>p1 p1>e"),
    ("one event leads round the join", "p1", "s>p>a,b a>g>m1,m2 m1!msg m2!timer m1>p1 m2>e1 b>p1 p1>e"),
    ("a link leads round the join", "p1", "s>p>a,b a>x>p1,f f!linkA m!linkA m>e1 b>p1 p1>e"),
    ("an error of a branch leads round the join", "p1", "s>p>a,q q{ s1>x1>e1,e2 e2!err } b1@q=err b1>e3 a>p1 q>p1 p1>e"),  # noqa: E501
    ("a time limit of a branch leads round the join", "p1", "s>p>a,b b1@b=timer b1>e1 a>p1 b>p1 p1>e"),
    ("an error a worker reports leads round the join", "p1", "s>p>a,b b1@b=err b1>e1 a>p1 b>p1 p1>e"),
    ("an escalation leads round the join", "p1", "s>p>a,q q{ s1>f1>c>e1 f1!esc } b1@q=esc b1>e3 a>p1 q>p1 p1>e"),
    ("a cancelled transaction leads round the join", "p1", "s>p>a,v v{ s1>x1>e1,e2 e2!cancel } b1@v=cancel b1>e3 a>p1 v>p1 p1>e"),  # noqa: E501
    ("a complex gateway that wants two of one", "z", "s>x>a,b a>z b>z z:2 z>e"),
    ("a complex gateway that wants three of two", "z", "s>p>a,b a>z b>z z:3 z>e"),
    ("a task that takes two tokens and gets one", "a", "s>u>a>e a#2"),
    ("a task that takes three tokens and gets two", "a", "s>t>a>e t*2 a#3"),
    ("inside a sub-process", "p1", "s>q>e q{ s1>x>a,b a>p1 b>p1 p1>e1 }"),
    ("inside a sub-process of a sub-process", "p1", "s>q>e q{ s1>q2>e1 q2{ s2>x>a,b a>p1 b>p1 p1>e2 } }"),
    ("inside a transaction", "p1", "s>v>e v{ s1>x>a,b a>p1 b>p1 p1>e1 }"),
    ("inside a repeated sub-process", "p1", "s>n>e n{ s1>x>a,b a>p1 b>p1 p1>e1 }"),
    ("inside an event sub-process", "p1", "s>a>e h{ s1!msg s1>x>b,c b>p1 c>p1 p1>e1 }"),
    ("inside a sub-process that a message may end", "p1", "s>q>e q{ s1>x>a,b a>p1 b>p1 p1>e1 } b1@q=msg b1>e2"),
    ("beside an event sub-process that may end all", "p1", "s>x>a,b a>p1 b>p1 p1>e h{ s1!msg s1>c>e1 }"),
    ("behind a boundary event that interrupts nothing", "p1", "s>a>e b1@a~timer b1>x>b,c b>p1 c>p1 p1>e1"),
    ("with a message start beside the plain one", "p", "s>a>p s1!msg s1>b>p p>e"),
    ("a parallel join with an inclusive split nested in one branch", "p1", "s>p>a,o o>b,c a>p1 b>p1 c>p1 p1>e"),
    ("a parallel join behind an inclusive one", "p1", "s>p>a,b a>o b>o o>p1 o>c c>e1 p1>e p>x>p1,e2"),
    ("a loop back past the split", "p1", "s>x>p p>a,b a>p1 b>x2>p1,c c>e1 p1>e"),
    ("a gateway that joins and splits", "p1", "s>x>a,b a>p1 b>p1 p1>c,d c>p2 d>p2 p2>e"),
]  # fmt: skip

PAIRS = [
    ("parallel split, exclusive merge", "x", "s>p>a,b a>x b>x x>c>e"),
    ("two flows out of a task, exclusive merge", "x", "s>u>a,b a>x b>x x>c>e"),
    ("two flows into a task", "c", "s>p>a,b a>c b>c c>e"),
    ("two flows into a script", "t", "s>p>a,b a>t b>t t>c>e"),
    ("two flows into a sub-process", "q", "s>p>a,b a>q b>q q{ s1>c>e1 } q>e"),
    ("two flows into a call", "y", "s>p>a,b a>y b>y y=Q y>e", ("Q", "s>a>e")),
    ("two flows into a catching event", "m", "s>p>a,b a>m b>m m!msg m>e"),
    ("two flows into a receive task", "r", "s>p>a,b a>r b>r r>e"),
    ("two flows into an event-based gateway", "g", "s>p>a,b a>g b>g g>m1,m2 m1!msg m2!timer m1>e m2>e"),
    ("two flows into a throwing event", "f", "s>p>a,b a>f b>f f!sig f>c>e"),
    ("two flows into one flow of a join", "x", "s>p>a,b,c a>x b>x x>d>p1 c>p1 p1>e"),
    ("inclusive split, exclusive merge", "x", "s>o>a,b a>x b>x x>c>e"),
    ("conditional flows out of a task, exclusive merge", "x", "s>u u?a u?b a>x b>x x>c>e"),
    ("a reminder that comes back into the flow", "x", "s>a>x b1@a~timer b1>b>x x>c>e"),
    ("a repeated reminder that comes back into the flow", "x", "s>a>x b1@a~cycle b1>b>x x>c>e"),
    ("a message beside a sub-process that comes back", "x", "s>q>x q{ s1>a>e1 } b1@q~msg b1>b>x x>c>e"),
    ("a condition beside a task that comes back", "c", "s>a>c b1@a~when b1>c c>e"),
    ("a signal beside a call that comes back", "x", "s>y>x y=Q b1@y~sig b1>x x>c>e", ("Q", "s>a>e")),
    ("an escalation that comes back while its sub-process goes on", "x", "s>q>x q{ s1>f>a>e1 f!esc } b1@q~esc b1>b>x x>c>e"),  # noqa: E501
    ("an escalation of a called process that comes back", "x", "s>y>x y=Q b1@y~esc b1>b>x x>c>e", WARNS),
    ("two plain starts that merge", "x", "s1>a>x s2>b>x x>c>e"),
    ("a branch that goes back before its split", "b", "s>x>p>a,b a>x b>c>e"),
    ("a loop that begins a branch in every round", "b", "s>x1>u>p>b,x2 b>e1 x2>x1,e"),
    ("a loop whose task has a second way out", "b", "s>x1>u>x2 u>b>e1 x2>x1,e"),
    ("a task that makes two tokens", "a", "s>t>a>e t*2"),
    ("a join of two of three branches", "x", "s>p>a,b,c a>p1 b>p1 p1>x c>x x>d>e"),
    ("joins in the wrong order", "x", "s>p>a,p1 p1>b,c a>x b>x c>p2 x>d>p2 p2>e"),
    ("a link from two branches", "m", "s>p>a,b a>f1 b>f2 f1!linkA f2!linkA m!linkA m>c>e"),
    ("a complex gateway whose rest comes through too", "c", "s>p>a,b a>z b>z z:1 z>c>e"),
    ("a complex gateway of three whose rest comes through too", "d", "s>p>a,b,c a>z b>z c>z z:2 z>d>e"),
    ("an inclusive join in a loop that goes round it", "o2", "s>x>o o>a,b a>o2 b>x3>o2,o3 o2>c>o3 o3>x2>x,e"),
    ("inside a sub-process", "x", "s>q>e q{ s1>p>a,b a>x b>x x>c>e1 }"),
    ("inside a transaction", "x", "s>v>e v{ s1>p>a,b a>x b>x x>c>e1 }"),
    ("inside a repeated sub-process", "c", "s>n>e n{ s1>p>a,b a>c b>c c>e1 }"),
    ("inside an event sub-process", "x", "s>u>e h{ s1!msg s1>p>a,b a>x b>x x>c>e1 }"),
    ("inside a branch beside an activity", "x", "s>u>e b1@u~timer b1>p>a,b a>x b>x x>c>e1"),
    ("behind an interrupting event", "x", "s>u>e b1@u=timer b1>p>a,b a>x b>x x>c>e1"),
    ("branches that cross", "x2", "s>p>x1,b x1>a,x2 b>x2 x2>c>e a>e1"),
]  # fmt: skip

LOOPS = [
    ("a loop without a way out", "x", "s>x>a>x"),
    ("a loop of gateways", "x1", "s>x1>x2>x1"),
    ("a loop of tasks behind a choice", "x1", "s>x>a,e a>x1>b>c>x1"),
    ("a choice whose every way leads back", "x1", "s>x1>x2>a,b a>x1 b>x1"),
    ("beside a branch that ends", "x1", "s>p>a,x1 a>e x1>b>x1"),
    ("beside a branch that ends, in two ways", "x1", "s>p>a,x1 a>e x1>b>x2>x1,c c>x1"),
    ("behind an interrupting event", "x1", "s>a>e b1@a=timer b1>x1>b>x1"),
    ("behind an event that interrupts nothing", "x1", "s>a>e b1@a~timer b1>x1>b>x1"),
    ("through a link", "m", "s>a>f f!linkA m!linkA m>b>f2 f2!linkA"),
    ("of waiting for events", "x1", "s>x1>g>m1,m2 m1!msg m2!timer m1>x1 m2>x1"),
    ("trying again what always fails", "x1", "s>x1>q>e q{ s1>a>e1 e1!err } b1@q=err b1>x1"),
    ("trying again a call that always fails", "x1", "s>x1>y>e y=Q b1@y=err b1>x1", ("Q", "s>a>e e!err")),
    ("inside a sub-process", "x1", "s>q>e q{ s1>x1>a>x1 }"),
    ("inside a sub-process with an event that interrupts nothing", "x1", "s>q>e q{ s1>x1>a>x1 } b1@q~timer b1>e1"),
    ("inside an event sub-process", "x1", "s>a>e h{ s1!msg s1>x1>b>x1 }"),
    ("inside a transaction", "x1", "s>v>e v{ s1>x1>a>x1 }"),
]  # fmt: skip

SILENT = [
    ("an error nothing throws", "b1", "s>q>e q{ s1>a>e1 } b1@q=err b1>e2"),
    ("an error of another code", "b1", "s>q>e q{ s1>x>e1,e3 e3!err2 } b1@q=err b1>e2"),
    ("an error of a script", "b1", "s>t>e b1@t=err b1>e2"),
    ("an error the called process never throws", "b1", "s>y>e y=Q b1@y=err b1>e2", ("Q", "s>a>e")),
    ("an error of another code than the called process throws", "b1", "s>y>e y=Q b1@y=err2 b2@y=err b1>e2 b2>e3", FAILS),  # noqa: E501
    ("any error behind the only one", "b2", "s>y>e y=Q b1@y=err b2@y=anyerr b1>e2 b2>e3", FAILS),
    ("an error caught inside", "b1", "s>q>e q{ s1>x>e1,e3 e3!err h{ s2!err s2>a>e4 } } b1@q=err b1>e2"),
    ("an error caught by a sub-process inside", "b1", "s>q>e q{ s1>q2>e1 q2{ s2>x>e2,e3 e3!err } b2@q2=err b2>e4 } b1@q=err b1>e5"),  # noqa: E501
    ("an escalation nothing throws", "b1", "s>q>e q{ s1>a>e1 } b1@q=esc b1>e2"),
    ("an escalation nothing throws, beside", "b1", "s>q>e q{ s1>a>e1 } b1@q~esc b1>e2"),
    ("an escalation the called process never throws", "b1", "s>y>e y=Q b1@y=esc b1>e2", FAILS),
    ("a cancellation nothing throws", "b1", "s>v>e v{ s1>a>e1 } b1@v=cancel b1>e2"),
    ("an event sub-process for an error nothing throws", "h", "s>a>e h{ s1!err s1>b>e1 }"),
    ("an event sub-process for an escalation nothing throws", "h", "s>a>e h{ s1!esc s1>b>e1 }"),
    ("an event sub-process for an error caught before", "h", "s>y>e y=Q b1@y=err b1>e2 h{ s1!err s1>b>e1 }", FAILS),
]  # fmt: skip

DEAD = [
    ("behind a sub-process that always fails", "c", "s>q>c>e q{ s1>a>e1 e1!err } b1@q=err b1>e2"),
    ("behind a call that always fails", "c", "s>y>c>e y=Q b1@y=err b1>e2", ("Q", "s>a>e e!err")),
    ("behind a transaction that is always cancelled", "c", "s>v>c>e v{ s1>a>e1 e1!cancel } b1@v=cancel b1>e2"),
    ("behind an escalation that ends everything", "c", "s>f>c>e f!esc h{ s1!esc s1>b>e1 }"),
    ("behind a sub-process whose escalation is taken up outside", "c", "s>q>c>e q{ s1>a>e1 e1!err } h{ s2!err s2>b>e2 }"),  # noqa: E501
    ("inside, behind a sub-process that always fails", "c", "s>q0>e q0{ s0>q>c>e0 q{ s1>a>e1 e1!err } b1@q=err b1>e2 }"),  # noqa: E501
]  # fmt: skip

CALLED = [
    Case("deadlock in a called process", "deadlock", "p", "s>y>e y=Q", (("Q", "s>x>a,b a>p b>p p>e"),), "Q"),
    Case("two tokens in a called process", "lack_of_synchronisation", "x", "s>y>e y=Q", (("Q", "s>p>a,b a>x b>x x>c>e"),), "Q"),  # noqa: E501
    Case("a loop in a called process", "livelock", "x", "s>y>e y=Q", (("Q", "s>x>a>x"),), "Q"),
    Case("an error nothing throws in a called process", "dead_event", "b1", "s>y>e y=Q", (("Q", "s>q>e q{ s1>a>e1 } b1@q=err b1>e2"),), "Q"),  # noqa: E501
    Case("an error that leads round the join", "deadlock", "p1", "s>p>a,y y=Q b1@y=err b1>e1 a>p1 y>p1 p1>e", (FAILS,)),
    Case("an error caught by all that leads round the join", "deadlock", "p1", "s>p>a,y y=Q b1@y=anyerr b1>e1 a>p1 y>p1 p1>e", (FAILS,)),  # noqa: E501
    Case("an escalation that leads round the join", "deadlock", "p1", "s>p>a,y y=Q b1@y=esc b1>e1 a>p1 y>p1 p1>e", (WARNS,)),  # noqa: E501
    Case("an error passed on by the process between", "deadlock", "p1", "s>p>a,y y=R b1@y=err b1>e1 a>p1 y>p1 p1>e", (("R", "s>y>e y=Q"), FAILS)),  # noqa: E501
]  # fmt: skip


def _cases(rule: str, rows: list[tuple[object, ...]]) -> list[Case]:
    return [Case(str(name), rule, str(where), str(text), tuple(others)) for name, where, text, *others in rows]  # type: ignore[arg-type]


CASES = [
    *_cases("deadlock", DEADLOCKS),  # type: ignore[arg-type]
    *_cases("lack_of_synchronisation", PAIRS),  # type: ignore[arg-type]
    *_cases("livelock", LOOPS),  # type: ignore[arg-type]
    *_cases("dead_event", SILENT),  # type: ignore[arg-type]
    *_cases("dead_element", DEAD),  # type: ignore[arg-type]
    *CALLED,
]
