"""A case without a machine: what the tests of the store feed it."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID, uuid4

from engine.model import ActedAs, Actor, CaseStatus, Event, Membership, TaskStatus
from engine.store import Case, Changes, ClosedTask, NewTask, Store, Transaction, new_id

RELEASE = "ab" * 32
HALL = "liwan/hall"


def person(role: str = "intake_clerk", scope: str = HALL, name: str = "clerk", account: UUID | None = None) -> Actor:
    post = Membership(role=role, scope=scope, unit=scope, post=role)
    return Actor(account=account or uuid4(), name=name, display_name=name, memberships=(post,))


def registered(store: Store, role: str = "intake_clerk", scope: str = HALL, name: str = "clerk") -> Actor:
    """A person with an account in the database."""
    post = Membership(role=role, scope=scope, unit=scope, post=role)
    with store.transaction() as tx:
        account = tx.create_account(name=name, display_name=name, password_hash="-")
        tx.set_memberships(account, [post])
        tx.append(f"account:{account}", [Event(kind="account.created", input=True)])
    return Actor(account=account, name=name, display_name=name, memberships=(post,))


def work(token: int = 1, **changed: Any) -> NewTask:
    facts = {"element": f"p/step_{token}", "name": "受理", "role": "intake_clerk", "scope": HALL, **changed}
    return NewTask(id=new_id(), token=token, **facts)


def events(token: int, values: dict[str, Any] | None = None, actor: Actor | None = None) -> list[Event]:
    """What one completion leaves: the input and what follows from it."""
    who = ActedAs(account=actor.account, name=actor.name, post="收件员", unit=HALL) if actor else None
    given = {"answers": values or {"applicant": {"name": "演示申请人", "phone": "19900000000"}, "note": "x" * 400}}
    step, after = f"p/step_{token}", f"p/step_{token + 1}"
    return [
        Event(kind="task.completed", input=True, element=step, token=token, actor=who, values=given),
        Event(kind="variables.written", cause=0, element=step, scope=1, token=token, values={"a": [None, given]}),
        Event(kind="element.completed", cause=0, element=step, scope=1, token=token, flow=None),
        Event(kind="element.entered", cause=0, element=after, scope=1, token=token + 1, flow=f"flow_{token}"),
    ]


def started(tx: Transaction, *tasks: NewTask, key: str | None = None, by: UUID | None = None, **new: Any) -> Case:
    """A new case with these tasks, saved but not committed."""
    case_id = new_id()
    facts = {"process_key": "p", "release": RELEASE, "started_by": by, "scope": HALL, **new}
    case = tx.new_case(case_id, business_key=key or str(case_id), **facts)
    first = tasks or (work(),)
    begun = [
        Event(kind="case.started", input=True, values={"item": {"name": "秘密"}}),
        *(Event(kind="element.entered", cause=0, element=t.element, scope=1, token=t.token, flow="f0") for t in first),
    ]
    tx.save(case, changes(begun, state=b"s0", title="张三的申请", opened=tuple(first)))
    return case


def changes(told: list[Event], *, state: bytes | None = None, **more: Any) -> Changes:
    if state is not None:
        last = told[-1]
        facts = {name: getattr(last, name) for name in Event.__slots__}
        told = [*told[:-1], Event(**{**facts, "state_digest": hashlib.sha256(state).hexdigest()})]
    return Changes(command=uuid4(), events=tuple(told), state=state, **more)


def completed(tx: Transaction, task_id: UUID, actor: Actor | None = None, *, end: bool = False) -> Case:
    """Lock the task, close it, open the next, save."""
    case, task = tx.lock_task(task_id)
    now = tx.now()
    told = events(task.token, actor=actor)
    closed = ClosedTask(
        id=task.id, status=TaskStatus.COMPLETED, at=now, by=actor and actor.account, name=actor and actor.name
    )
    opened = () if end else (work(task.token + 1),)
    status = CaseStatus.ENDED if end else None
    outcome = "granted" if end else None
    state = (case.state or b"") + b"+" * 600
    tx.save(case, changes(told, state=state[-900:], closed=(closed,), opened=opened, status=status, outcome=outcome))
    return case
