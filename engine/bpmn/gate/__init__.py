"""The publishing gate: every finding of every file of the designers' rooms at once, before anything may run."""

from __future__ import annotations

from engine.bpmn.gate.check import check

__all__ = ["check"]
