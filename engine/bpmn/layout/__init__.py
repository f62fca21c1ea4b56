"""Automatic layout of a diagram: lanes, expanded sub-processes, boundary events, loops, no edge over another."""

from __future__ import annotations

from engine.bpmn.layout.diagram import layout

__all__ = ["layout"]
