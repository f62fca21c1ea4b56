"""Decision tables by the library's DMN engine, with the hit policies it runs wrong mended or refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from SpiffWorkflow.bpmn.parser.ValidationException import ValidationException

from engine.bpmn.expressions import ExpressionError, ScriptEngine
from engine.bpmn.problems import Problem
from engine.bpmn.reader import NodeReader, read_xml
from engine.errors import Refused

_SCRIPTS = ScriptEngine()
POLICIES = ("UNIQUE", "FIRST", "COLLECT")


class Overlap(Exception):
    """More than one rule of a UNIQUE table matches."""


class _Surroundings:
    """Stands for the workflow of a task: the library asks it for the script engine only."""

    script_engine = _SCRIPTS


class _View:
    """Stands for a library task while a table is evaluated; ``data`` is a private copy."""

    def __init__(self, variables: dict[str, Any]) -> None:
        self.data, self.workflow, self.task_spec = variables, _Surroundings, None


class Decision:
    """One decision table, shared by threads: nothing writes to it after it was read."""

    def __init__(self, ident: str, engine: Any) -> None:
        self.id, self._engine = ident, engine
        self.policy: str = engine.decision_table.hit_policy
        if self.policy not in POLICIES:
            raise Problem("hit_policy", self.policy)
        # Told "UNIQUE", the library stops at the first match and never sees an overlap.
        engine.decision_table.hit_policy = "COLLECT" if self.policy == "COLLECT" else "FIRST"

    def decide(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Output name to value; empty without a match. ``variables`` is not written to.

        Raises: Overlap; ExpressionError from a cell.
        """
        view = _View(variables)
        try:
            rules = self._engine.decide(view)
            if self.policy == "UNIQUE" and len(rules) > 1:
                raise Overlap
            outputs = [dict(rule.output_as_dict(view)) for rule in rules]
        except (Overlap, ExpressionError):
            raise
        except Exception as error:  # the library wraps what its cells raise in classes of its own
            raise cause(error) from error
        if self.policy == "COLLECT":
            return {name: [each[name] for each in outputs] for name in (outputs[0] if outputs else {})}
        return outputs[0] if outputs else {}


def cause(error: BaseException) -> ExpressionError:
    """The evaluator's error inside what the library raised, or a general one."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        if isinstance(found, ExpressionError):
            return found
        seen.add(id(found))
        found = getattr(found, "exception", None) or found.__cause__ or found.__context__
    return ExpressionError("decision_failed")


def add_tables(reader: NodeReader, wanted: set[str], files: Mapping[str, bytes]) -> dict[str, str]:
    """Give the library's parser the tables that are wanted; id to SHA-256 of their file.

    A table that nobody defines, or whose file is not XML, is reported where it is used.
    """
    found = {}
    for file, content in sorted(files.items()) if wanted else ():
        try:
            root = read_xml(content, file)
        except Refused:
            continue
        idents = {each.get("id") for each in root if isinstance(each.tag, str) and each.tag.endswith("decision")}
        if idents & wanted and not root.xpath("//@aggregation"):  # the library ignores aggregators
            try:
                reader.add_dmn_xml(root, filename=file)
            except ValidationException:
                continue  # the element that uses it is refused
            found.update(dict.fromkeys(idents & wanted, hashlib.sha256(content).hexdigest()))
    return found
