"""Knows which fields matter only under a condition, so that a script may hide them while it does not hold.

Only the shape that designers use is read: `allOf` of `if` a sibling has one of some values `then` fields are required.
The server's check is the whole schema, whatever the page hides.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from markupsafe import Markup, escape

Schema = Mapping[str, Any]

_INDEX = re.compile(r"(?<=\.)\d+(?=\.)")


def conditions(schema: Schema) -> Callable[[str], Markup]:
    """A function for the template: a field's path → ` data-when="sibling|value|value"`, or nothing."""
    known = dict(_walk(schema, ""))

    def attribute(path: str) -> Markup:
        found = known.get(_INDEX.sub("*", path))
        if found is None:
            return Markup("")
        sibling, values = found
        before = path.rpartition(".")[0]
        place = f"{before}.{sibling}" if before else sibling
        return Markup(' data-when="{}"').format(escape("|".join([place, *values])))

    return attribute


def _walk(schema: Schema, before: str) -> Iterator[tuple[str, tuple[str, list[str]]]]:
    always = set(schema.get("required", ()))
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for part in (schema, *schema.get("allOf", ())):
        for sibling, values in _tested(part.get("if", {})):
            for name in part.get("then", {}).get("required", ()):
                found[name][sibling] += values
    for name, by in found.items():
        # Two different siblings decide: too much for a hint, the field stays in sight.
        if name not in always and len(by) == 1:
            sibling, values = next(iter(by.items()))
            yield before + name, (sibling, values)
    for name, part in schema.get("properties", {}).items():
        if "properties" in part:
            yield from _walk(part, f"{before}{name}.")
        elif isinstance(part.get("items"), Mapping):
            yield from _walk(part["items"], f"{before}{name}.*.")


def _tested(condition: Schema) -> Iterator[tuple[str, list[str]]]:
    """The one sibling a condition looks at, and the values that make it hold, as the form posts them."""
    tested = condition.get("properties", {})
    if len(tested) != 1 or set(condition) - {"properties", "required"}:
        return
    for name, rule in tested.items():
        values = rule.get("enum", [rule["const"]] if "const" in rule else [])
        if values and not any(isinstance(value, list | Mapping) for value in values):
            yield name, [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
