"""Makes up answers that fit a form's JSON Schema, plainly demonstrations: nobody's name, number or telephone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

import jsonschema_rs

from api.patterns import sample

Schema = Mapping[str, Any]

# No district of the country has this code (GB/T 2260), so no identity or credit code made here is anybody's.
NOWHERE = "999999"
STEMS = "甲乙丙丁戊己庚辛壬癸"
# Choices that send a case back or end it early; they stay possible, at a fifth of the weight.
RARE = re.compile(
    r"(?:^|_)(?:again|back|correction|defective|denied|deny|disagrees?|fail(?:ed)?|fix|give_up|given_up|incomplete|lacking|missing|no|non|none|nonconform|not"
    r"|objects?|objection|poor|refused?|reject(?:ed)?|return(?:ed)?|second|un\w+|withdrawn?|wrong)(?:_|$)"
)
OPTIONAL_FILLED = 0.3
LATER_KEYS = ("until", "expir", "valid", "due", "end", "promise")
ROUNDS = 8


@dataclass(kw_only=True)
class Author:
    """Writes answers for one case. ``upload`` takes a file name and gives the digest under which it was taken.

    ``chosen`` counts what was picked at which element, so that a loop's second round prefers another way out.
    """

    random: Random
    today: date
    upload: Callable[[str], str]
    chosen: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def answers(self, schema: Schema, element: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Answers to the form ``schema`` (bundled: every ``$ref`` points into its ``$defs``) at ``element``.

        Rows that the form takes from the case's ``variables`` (``x-prefill``) are filled in; none is added to them.
        """
        page = _Page(author=self, root=schema, element=element, variables=variables)
        answers: dict[str, Any] = page.value(schema, "", {})
        return answers


@dataclass(frozen=True, kw_only=True)
class _Page:
    """One form being filled in."""

    author: Author
    root: Schema
    element: str
    variables: Mapping[str, Any]

    def value(self, schema: Schema, path: str, given: Any = None) -> Any:
        schema = self._resolved(schema)
        given = self._prefilled(schema, given)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choice(schema["enum"], path)
        match _kind(schema):
            case "object":
                return self._object(schema, path, given if isinstance(given, Mapping) else {})
            case "array":
                return self._rows(schema, path, given)
            case "boolean":
                return self._choice([True, False], path)
            case "integer" | "number":
                return self._number(schema)
            case _:
                return self._text(schema, path)

    def _resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            target: Any = self.root
            for part in schema["$ref"].removeprefix("#").strip("/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")] if part else target
            schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
        return schema

    def _prefilled(self, schema: Schema, given: Any) -> Any:
        found: Any = self.variables
        for part in str(schema.get("x-prefill", "")).split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return given if found is None else found

    def _object(self, schema: Schema, path: str, given: Mapping[str, Any]) -> dict[str, Any]:
        answers: dict[str, Any] = {}
        settled: dict[str, Schema] = {}
        for _ in range(ROUNDS):
            properties, required = self._duties(schema, {**given, **answers})
            before = dict(settled)
            for name, rule in properties.items():
                rule = self._resolved(rule)
                if rule.get("readOnly") or settled.get(name) == rule:
                    continue
                if name in answers or name in required or (name not in settled and self._fills(rule, given, name)):
                    answers[name] = self.value(rule, f"{path}.{name}" if path else name, given.get(name))
                settled[name] = rule
            for name in required - answers.keys():
                settled.pop(name, None)
            if settled == before:
                break
        return answers

    def _fills(self, rule: Schema, given: Mapping[str, Any], name: str) -> bool:
        if rule.get("format") == "attachment":
            return False
        return name in given or self.author.random.random() < OPTIONAL_FILLED

    def _duties(self, schema: Schema, answers: Mapping[str, Any]) -> tuple[dict[str, Schema], set[str]]:
        """Properties and required names, with what the conditions that hold for ``answers`` add to them."""
        properties = dict(schema.get("properties", {}))
        required = set(schema.get("required", ()))
        for part in self._conditional(schema, answers):
            required |= set(part.get("required", ()))
            for name, rule in part.get("properties", {}).items():
                if rule is False:
                    properties.pop(name, None)
                elif rule is not True and name in properties:
                    properties[name] = self._both(properties[name], rule)
        return properties, required & properties.keys()

    def _both(self, one: Schema, other: Schema) -> Schema:
        """A schema for what fits both: ``other`` narrows ``one``, down through properties and rows."""
        one = self._resolved(one)
        inner = {name: self._both(one.get("properties", {}).get(name, {}), rule) for name, rule in _inner(other)}
        merged = {**one, **other, "required": [*one.get("required", ()), *other.get("required", ())]}
        if inner:
            merged["properties"] = {**one.get("properties", {}), **inner}
        if "items" in one and "items" in other:
            merged["items"] = self._both(one["items"], other["items"])
        if "const" in other:
            merged.pop("enum", None)
        return merged

    def _conditional(self, schema: Schema, answers: Mapping[str, Any]) -> Iterator[Schema]:
        for part in (schema, *schema.get("allOf", ())):
            part = self._resolved(part)
            if part is not schema:
                yield part
            if "if" in part:
                branch = part.get("then" if self._holds(part["if"], answers) else "else")
                if branch:
                    yield branch
                    yield from self._conditional({"allOf": branch.get("allOf", ())}, answers)
        for name, needed in schema.get("dependentRequired", {}).items():
            if name in answers:
                yield {"required": needed}

    def _holds(self, condition: Schema, value: Any) -> bool:
        whole = {**condition, "$defs": self.root.get("$defs", {})}
        return jsonschema_rs.validator_for(whole).is_valid(value)

    def _rows(self, schema: Schema, path: str, given: Any) -> list[Any]:
        row = self._resolved(schema.get("items", {}))
        path += "[]"
        if isinstance(given, list) and given:
            rows = [self.value(row, path, value) for value in given]
        else:
            least = schema.get("minItems", 0)
            most = max(least, min(schema.get("maxItems", 3), 3))
            number = self.author.random.randint(max(least, 1 if most else 0), most)
            rows = self._listed(row, path, number)
        if "contains" in schema and not any(self._holds(schema["contains"], one) for one in rows):
            place = self.author.random.randrange(len(rows) or 1)
            rows[place : place + 1] = [self.value(self._both(row, schema["contains"]), path)]
        return rows

    def _listed(self, row: Schema, path: str, number: int) -> list[Any]:
        if "enum" in row:
            return self.author.random.sample(row["enum"], min(number, len(row["enum"])))
        return [self.value(row, path) for _ in range(number)]

    def _choice(self, values: list[Any], path: str) -> Any:
        def weight(value: Any) -> float:
            rare = value is False or (RARE.search(str(value).lower()) and "has_" not in path)
            base = 0.2 if rare else 1.0
            return base * 0.2 ** self.author.chosen[self.element, path, str(value)]

        picked = self.author.random.choices(values, [weight(v) for v in values])[0]
        # Rows of one form are no rounds of a loop: there the same choice may come again and again.
        if "[]" not in path:
            self.author.chosen[self.element, path, str(picked)] += 1
        return picked

    def _number(self, schema: Schema) -> int | float:
        step = schema.get("multipleOf", 1)
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + step)
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 201) - step)
        number = low + step * self.author.random.randint(0, max(0, min(200, int((high - low) // step))))
        return int(number) if _kind(schema) == "integer" else number

    def _text(self, schema: Schema, path: str) -> str:
        random = self.author.random
        match schema.get("format"):
            case "attachment":
                return self.author.upload(f"演示{schema.get('title', '附件')}.txt")
            case "date":
                return self._date(path).isoformat()
            case "date-time":
                return f"{self._date(path).isoformat()}T09:00:00+08:00"
            case "time":
                return "09:00:00"
            case "phone" | "mobile":
                return f"1990000{random.randrange(10_000):04d}"
            case "id-number":
                return id_number(random)
            case "credit-code":
                return credit_code(random)
        if "pattern" in schema:
            return sample(schema["pattern"], random)
        return self._words(schema)

    def _words(self, schema: Schema) -> str:
        title = str(schema.get("title", "内容")).split("（", maxsplit=1)[0]
        words = {"姓名": "申请人", "名称": "商行", "内容": "内容"}.get(title, title)
        text = f"演示{words}{self.author.random.choice(STEMS)}"
        return text.ljust(schema.get("minLength", 0), "。")[: schema.get("maxLength", 200)]

    def _date(self, path: str) -> date:
        name = path.rsplit(".", maxsplit=1)[-1]
        if "birth" in name:
            return date(1980, 1, 1) + timedelta(days=self.author.random.randrange(7_000))
        if any(key in name for key in LATER_KEYS):
            return self.author.today + timedelta(days=365 + self.author.random.randrange(700))
        return self.author.today


def _inner(schema: Schema) -> list[tuple[str, Schema]]:
    return [(name, rule) for name, rule in schema.get("properties", {}).items() if isinstance(rule, Mapping)]


def _kind(schema: Schema) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return str(kind if isinstance(kind, str) else next(k for k in kind if k != "null"))


def id_number(random: Random) -> str:
    """A resident identity number of no district, with a right check character (GB 11643, ISO 7064 MOD 11-2)."""
    born = date(1960, 1, 1) + timedelta(days=random.randrange(15_000))
    body = f"{NOWHERE}{born:%Y%m%d}{random.randrange(1000):03d}"
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(body))
    return body + "10X98765432"[total % 11]


def credit_code(random: Random) -> str:
    """A unified social credit code of no district, with right check characters (GB 32100, GB 11714)."""
    organisation = "".join(random.choice("0123456789") for _ in range(8))
    check = 11 - sum(int(c) * w for c, w in zip(organisation, (3, 7, 9, 10, 5, 8, 4, 2), strict=True)) % 11
    body = f"92{NOWHERE}{organisation}{'X' if check == 10 else check % 11}"
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(alphabet.index(c) * pow(3, place, 31) for place, c in enumerate(body))
    return body + alphabet[-total % 31]
