"""The library's script engine with our evaluator inside, for decision tables and for the bare library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from SpiffWorkflow.bpmn.script_engine import BasePythonScriptEngineEnvironment, PythonScriptEngine

from engine.bpmn.expressions.evaluator import evaluate, execute
from engine.bpmn.expressions.syntax import problems
from engine.bpmn.expressions.values import ExpressionError


class Environment(BasePythonScriptEngineEnvironment):  # type: ignore[misc] # the library is untyped
    """What the library asks for values: our evaluator over the task's variables, plus a host's functions."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__({})
        self.functions = functions

    def evaluate(self, expression: str, context: dict[str, Any], external_context: Any = None) -> Any:
        """Raises: ExpressionError."""
        values, functions = self._around(context, external_context)
        return evaluate(expression, values, functions)

    def execute(self, script: str, context: dict[str, Any], external_context: Any = None) -> bool:
        """Runs the assignments and writes what changed into ``context``. Raises: ExpressionError, nothing written."""
        values, functions = self._around(context, external_context)
        context.update(execute(script, values, functions))
        return True

    def call_service(self, context: dict[str, Any], **details: Any) -> Any:
        """Connectors are called from the outbox, never from inside a diagram. Raises: ExpressionError."""
        raise ExpressionError("no_connector")

    def _around(self, context: Mapping[str, Any], outside: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        if not outside:
            return context, self.functions
        functions = {name: held for name, held in outside.items() if callable(held)}
        values = {name: held for name, held in outside.items() if name not in functions}
        return {**context, **values}, {**self.functions, **functions}


class ScriptEngine(PythonScriptEngine):  # type: ignore[misc] # the library is untyped
    """Give this to ``BpmnWorkflow`` (``deadline`` among ``functions``) and it evaluates as our machine does."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]] | None = None) -> None:
        super().__init__(Environment(functions or {}))

    def validate(self, expression: str) -> None:
        """Raises: SyntaxError, which is how the library's decision tables tell ``> 3`` from ``3``."""
        found = problems(expression)
        if found:
            raise SyntaxError(str(found[0]))
