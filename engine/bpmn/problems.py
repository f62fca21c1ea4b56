"""Collects what is wrong while a diagram is read, so that the designer sees everything at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from engine.bpmn.sentences import diagram
from engine.errors import Finding, Refused


class Problem(Exception):
    """One element cannot be executed rightly; ``Problems.at`` adds which."""

    def __init__(self, rule: str, note: str = "") -> None:
        super().__init__(rule)
        self.rule, self.note = rule, note


class Problems:
    """The findings of one file."""

    def __init__(self, file: str) -> None:
        self.file, self.findings = file, list[Finding]()

    def add(self, element: str, rule: str, note: str = "") -> None:
        """Keep one finding."""
        self.findings.append(diagram(self.file, element, rule, note))

    @contextmanager
    def at(self, element: str) -> Iterator[None]:
        """A problem met inside becomes a finding of this element, and reading goes on behind."""
        try:
            yield
        except Problem as problem:
            self.add(element, problem.rule, problem.note)

    def settle(self) -> None:
        """Raises Refused if there are any."""
        if self.findings:
            raise Refused(self.findings)
