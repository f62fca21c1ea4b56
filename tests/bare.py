"""The bare library as a witness: the same files, the same answers, given our script engine and nothing else of ours."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree

from engine.bpmn.expressions import ScriptEngine

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from SpiffWorkflow.bpmn import BpmnEvent, BpmnWorkflow
    from SpiffWorkflow.spiff.parser.process import SpiffBpmnParser
    from SpiffWorkflow.spiff.specs.event_definitions import MessageEventDefinition
    from SpiffWorkflow.util.task import TaskState

FAR = datetime.now(UTC) + timedelta(days=36_500)
"""When a deadline falls that nobody has moved: never during a test, for the library reads the real clock."""
PAST = datetime.now(UTC) - timedelta(days=1)


class Bare:
    """One case on the library's ``BpmnWorkflow``.

    ``files`` are the XML of the root and of everything it calls. ``lapse(kind)`` lets the deadline of this kind be over
    for timers that are reached from then on or already wait. After every act ``opened`` gets the sorted ids of the open
    user tasks, so that ``opened`` and ``end`` (ids of the end events reached, the root's own last) can be compared with
    the machine's.
    """

    def __init__(
        self,
        root: str,
        files: Mapping[str, bytes],
        variables: Mapping[str, Any],
        deadline: Callable[[str], datetime] | None = None,
    ) -> None:
        parser = SpiffBpmnParser()
        for name, xml in sorted(files.items()):
            safe = etree.XMLParser(resolve_entities=False, no_network=True)
            parser.add_bpmn_xml(etree.fromstring(xml, safe), filename=name)
        self.over: set[str] = set()
        self._deadline = deadline or (lambda kind: PAST if kind in self.over else FAR)
        scripts = ScriptEngine({"deadline": lambda kind: self._deadline(kind).isoformat()})
        self.workflow = BpmnWorkflow(parser.get_spec(root), parser.get_subprocess_specs(root), script_engine=scripts)
        self.opened: list[list[str]] = []
        for task in self.workflow.get_tasks(state=TaskState.READY):
            task.set_data(**deepcopy(dict(variables)))
        self._run()

    def _run(self) -> None:
        """To rest: timers are looked at again until nothing more happens (the library does so only once)."""
        for _ in range(100):
            self.workflow.refresh_timers()
            if not self.workflow.get_tasks(state=TaskState.READY, manual=False):
                break
            self.workflow.do_engine_steps()
        self.opened.append(self.open)

    def _tasks(self) -> list[Any]:
        return list(self.workflow.get_tasks(state=TaskState.READY, manual=True))

    @property
    def open(self) -> list[str]:
        """Sorted ids of the open user tasks, one for each time they are open."""
        return sorted(task.task_spec.bpmn_id for task in self._tasks())

    @property
    def completed(self) -> bool:
        """Has the case ended?"""
        return bool(self.workflow.is_completed())

    @property
    def end(self) -> list[str]:
        """Ids of the end events reached, in the order in which they were."""
        found = self.workflow.get_tasks(state=TaskState.COMPLETED)
        ends = [task for task in found if type(task.task_spec).__name__ == "EndEvent"]
        return [task.task_spec.bpmn_id for task in sorted(ends, key=lambda task: task.last_state_change)]

    @property
    def variables(self) -> dict[str, Any]:
        """The variables the case ended with."""
        return dict(self.workflow.data or self.workflow.last_task.data)

    def complete(self, element: str, answers: Mapping[str, Any]) -> None:
        """Give the first open task at ``element`` its answers, as the library takes a form's."""
        task = next(task for task in self._tasks() if task.task_spec.bpmn_id == element)
        task.task_spec.add_data_from_form(task, deepcopy(dict(answers)))
        task.run()
        self._run()

    def deliver(self, name: str, payload: Any) -> None:
        """Give a message to the case."""
        self.workflow.send_event(BpmnEvent(MessageEventDefinition(name), payload))
        self._run()

    def lapse(self, kind: str) -> None:
        """The deadline of this kind is over."""
        self.over.add(kind)
        for task in self.workflow.get_tasks(state=TaskState.WAITING):
            definition = getattr(task.task_spec, "event_definition", None)
            if f"'{kind}'" in (getattr(definition, "expression", None) or ""):
                task.internal_data.pop("event_value", None)
        self._run()
