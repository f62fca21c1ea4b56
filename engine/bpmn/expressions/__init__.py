"""Expressions and scripts of the diagrams: Python's expression syntax, walked by an evaluator of ours.

A closed list of node kinds and pure functions, keys instead of attributes, no mutation, every size and step counted.
"""

from __future__ import annotations

from engine.bpmn.expressions.evaluator import BUDGET, evaluate, execute
from engine.bpmn.expressions.scripting import ScriptEngine
from engine.bpmn.expressions.syntax import assigned, check_expression, check_script, names, problems
from engine.bpmn.expressions.values import FUNCTIONS, ExpressionError

__all__ = [
    "BUDGET",
    "FUNCTIONS",
    "ExpressionError",
    "ScriptEngine",
    "assigned",
    "check_expression",
    "check_script",
    "evaluate",
    "execute",
    "names",
    "problems",
]
