"""All attacks by name."""

from __future__ import annotations

from datetime import datetime

from engine.store import tables as t
from engine.store.vault import Keys
from tests.attacks.around import (
    _edit_copy,
    _exchange_copies,
    _forget_account,
    _forget_case,
    _forget_with_leaves,
    _lose_copy,
    _move_rows,
    _no_checkpoints,
    _no_rows,
    _other_form,
    _other_release,
    _own_checkpoints,
    _reassign,
    _reopen,
    _replace,
    _set_back_case,
    _silence,
    _swap_papers,
    _unlearn,
    _unlearn_kind,
    _unpublish,
    _unrender,
)
from tests.attacks.history import (
    _cut_clock,
    _cut_refusal,
    _cut_stream,
    _forged,
    _insert_between,
    _new_stream,
    _nonsense,
    _nonsense_stream,
    _of_running,
    _rehash,
    _reorder,
    _swap_cases,
)
from tests.attacks.kit import FOREIGN, Attack, case
from tests.attacks.rows import _changes, _gone_and_new
from tests.attacks.sealed import (
    _bring_back_key,
    _destroy,
    _destroy_account_key,
    _erase_quietly,
    _no_state,
    _not_erased,
    _other_approver,
    _other_state,
    _own_key,
    _rewrite_values,
    _swap_of_cases,
    _swap_salts,
    _swap_values,
    _swap_within,
    _values_of_another_case,
)
from tests.victim import RING

CRAFTED = (
    Attack("two events in another order", _reorder, True),
    Attack("an event put in between", _insert_between, True),
    Attack("the histories of two cases exchanged", _swap_cases, True),
    Attack("history cut off before a refused attempt", _cut_refusal, True),
    Attack("publications cut off", _cut_stream("definition:")),
    Attack("the clock's history cut off", _cut_clock),
    Attack("keys' history cut off", _unlearn, True),
    Attack("another key introduced", _unlearn_kind),
    Attack("a continuation under the right id with a wrong key", _forged(FOREIGN, "c2"), True),
    Attack("a continuation under an unknown key", _forged(Keys(chain=b"q" * 32, sealing=b"q" * 32, chain_id="q"), "q")),
    Attack("a continuation under a key nobody introduced", _forged(RING, "never"), True),
    Attack("a continuation under a retired key", _forged(RING, "test"), True),
    Attack("a history chained anew", _rehash, True),
    Attack("a stream that never was", _new_stream),
    Attack("a stream of a senseless name", _nonsense_stream),
    Attack(
        "an event's moment made senseless",
        _nonsense("event", "recorded_at", "stream = '{case}' AND number = 4", lambda v: f"{case(v.running)} 4"),
    ),
    Attack("an event's hash made a text", _nonsense("event", "hash", "stream = '{case}' AND number = 4", _of_running)),
    Attack(
        "a case's start made senseless", _nonsense("process_instance", "started_at", "1", lambda v: "cannot be read")
    ),
    Attack(
        "a head made senseless", _nonsense("stream_head", "last_at", "stream = 'definition:'", lambda v: "definition:")
    ),
    Attack("values made senseless", _nonsense("event_value", "sealed", "stream = '{case}'", _of_running)),
    Attack("states exchanged", _swap_of_cases(t.process_instance, "sealed_state"), True),
    Attack("titles exchanged", _swap_of_cases(t.process_instance, "sealed_title")),
    Attack("heads exchanged", _swap_of_cases(t.process_instance, "head")),
    Attack("milestones exchanged", _swap_of_cases(t.process_instance, "milestone")),
    Attack("data keys exchanged", _swap_of_cases(t.data_key, "wrapped"), True),
    Attack("values of two commands exchanged", _swap_values, True),
    Attack("values of two cases exchanged", _values_of_another_case, True),
    Attack("values of two events exchanged", _swap_within, True),
    Attack("values rewritten under the right key", _rewrite_values, True),
    Attack("salts exchanged under the right key", _swap_salts, True),
    Attack("a data key of one's own", _own_key),
    Attack("another state under the right key", _other_state, True),
    Attack("no state", _no_state),
    Attack("a key destroyed", _destroy(wrapped=None), True),
    Attack("a key said to be erased", _destroy(erased_at=datetime.fromisoformat("2026-12-01T00:00:00+00:00"))),
    Attack("an erasure without an event", _erase_quietly, True),
    Attack("an erased case's key brought back", _bring_back_key),
    Attack("an erasure forgotten", _not_erased, True),
    Attack("an erasure put down to another", _other_approver),
    Attack("a file's key destroyed", _destroy_account_key),
    Attack("a diagram replaced", _replace("food_business_permit.bpmn"), True),
    Attack("a form replaced", _replace("examine.json"), True),
    Attack("a paper's template replaced", _replace("documents/grant_decision")),
    Attack("a notice replaced", _replace("notices/decided")),
    Attack("a register replaced", _replace("registers/deadline_kinds"), True),
    Attack("the calendar replaced", _replace("registers/calendar")),
    Attack("a case moved to another release", _other_release, True),
    Attack("a task with another form", _other_form),
    Attack("a publication taken back", _unpublish),
    Attack("a completion put down to another", _reassign, True),
    Attack("a paper as if never made", _unrender, True),
    Attack("papers exchanged", _swap_papers),
    Attack("an ended case opened again", _reopen, True),
    Attack("timers silenced", _silence),
    *(
        Attack(f"all of a case's {table.name} moved to another", _move_rows(table))
        for table in (t.task, t.deadline, t.document, t.outbox, t.job)
    ),
    *(
        Attack(f"no {table.name} at all", _no_rows(table))
        for table in (t.task, t.deadline, t.document, t.membership, t.artefact, t.publication, t.attachment_chunk)
    ),
    Attack("a case forgotten", _forget_case, True),
    Attack("a case forgotten with its leaves", _forget_with_leaves, True),
    Attack("an account forgotten", _forget_account),
    Attack("a case set back", _set_back_case, True),
    Attack("no checkpoints", _no_checkpoints, True),
    Attack("checkpoints of one's own", _own_checkpoints),
    Attack("a copy lost", _lose_copy),
    Attack("a copy twice", _exchange_copies),
    Attack("a copy changed", _edit_copy),
)

ATTACKS: dict[str, Attack] = {one.name: one for one in (*_changes(), *_gone_and_new(), *CRAFTED)}
