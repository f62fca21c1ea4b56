"""Forms: bundled, gated, prefilled, posted, checked; every bad field is told at once and nothing is quoted."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from engine import forms
from engine.errors import FormInvalid
from engine.forms import formats
from engine.model import Library

ROOT = Path(__file__).parent.parent
FILE = "sha256:" + "ab" * 32


def shipped() -> Library:
    paths = [p for room in ("forms", "processes") for p in (ROOT / room).rglob("*") if p.is_file()]
    return Library({p.relative_to(ROOT).as_posix(): p.read_bytes() for p in paths})


def form(schema: dict[str, Any], **groups: dict[str, Any]) -> forms.Form:
    files = {"forms/p/t.json": json.dumps(schema).encode()}
    files |= {f"forms/fields/{name}.json": json.dumps(group).encode() for name, group in groups.items()}
    return forms.read_form(forms.bundle("p/t.json", Library(files)))


def group(properties: dict[str, Any], *required: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def faults(of: forms.Form, answers: dict[str, Any], **variables: Any) -> dict[str, str]:
    with pytest.raises(FormInvalid) as refused:
        forms.check(of, answers, variables=variables)
    return {f.where: f.rule for f in refused.value.findings}


TEXT = {"type": "string", "title": "文字", "minLength": 1, "maxLength": 10}
ROWS = {
    "type": "array",
    "title": "行",
    "x-prefill": "item.materials",
    "items": group(
        {"code": {**TEXT, "readOnly": True}, "status": {"type": "string", "title": "结论", "enum": ["ok", "missing"]}},
        "status",
    ),
}
MATERIALS = {"materials": [{"code": "M1", "copies": 1}, {"code": "M2", "copies": 2}]}


# --- formats


@pytest.mark.parametrize(
    ("name", "text", "good"),
    [
        ("id-number", "11010519491231002X", True),
        ("id-number", "11010519491231002x", True),
        ("id-number", "110105194912310021", False),
        ("id-number", "11010519490231002X", False),
        ("id-number", "1101051949123100２X", False),
        ("id-number", "11010519491231002X\n", False),
        ("credit-code", "11440103007493637K", True),
        ("credit-code", "11440103007493637J", False),
        ("credit-code", "11440103007493637k", False),
        ("credit-code", "1144010300749363OK", False),
        ("phone", "13812345678", True),
        ("phone", "020-81234567", True),
        ("phone", "02081234567-123", True),
        ("phone", "12812345678", False),
        ("phone", "81234567", False),
        ("mobile", "020-81234567", False),
        ("date", "2024-02-29", True),
        ("date", "2025-02-29", False),
        ("date", "2025-2-3", False),
        ("attachment", FILE, True),
        ("attachment", FILE.upper(), False),
    ],
)
def test_a_text_of_a_certain_form_is_known(name: str, text: str, good: bool) -> None:
    assert formats.FORMATS[name](text) is good


# --- bundle and gate


def test_every_shipped_form_passes_the_gate() -> None:
    library = shipped()
    paths = [p.removeprefix("forms/") for p in library.files if p.startswith("forms/") and p.endswith(".json")]
    found = [f for p in paths if not p.startswith("fields/") for f in forms.check_form(p, library)]
    assert not found


def test_every_shared_group_can_stand_in_a_form() -> None:
    library = shipped()
    for path in [p for p in library.files if p.startswith("forms/fields/")]:
        schema = group({"g": {"$ref": path.removeprefix("forms/"), "title": "组", "x-title-en": "Group"}}, "g")
        files = {**library.files, "forms/p/t.json": json.dumps({**schema, "title": "表", "x-title-en": "F"}).encode()}
        assert not forms.check_form("p/t.json", Library(files))


def test_a_bundle_is_the_same_bytes_each_time_and_holds_what_it_refers_to() -> None:
    library = shipped()
    once = forms.bundle("food_business_permit/register_application.json", library)
    assert once == forms.bundle("food_business_permit/register_application.json", library)
    assert b'"fields/' not in once
    assert forms.read_form(once) is forms.read_form(bytes(once))


def test_what_stands_beside_a_reference_wins_and_rules_of_both_hold() -> None:
    person = group({"name": TEXT, "age": {"type": "integer"}}, "name", title="人")
    beside = {"$ref": "fields/person.json", "title": "经营者", "required": ["age"]}
    found = form(group({"owner": beside}, "owner"), person=person)
    assert [f.title for f in forms.fields(found, {})] == ["经营者"]
    assert faults(found, {"owner": {}}) == {"owner.name": "required", "owner.age": "required"}


@pytest.mark.parametrize(
    ("files", "rule"),
    [
        ({}, "form_missing"),
        ({"p/t.json": "{"}, "json"),
        ({"p/t.json": "[]"}, "json"),
        ({"p/t.json": '{"a":1,"a":2}'}, "json"),
        ({"p/t.json": '{"a":' * 60 + "1" + "}" * 60}, "json"),
        ({"p/t.json": "[" * 100_000}, "json"),
        ({"p/t.json": '{"$ref":"fields/none.json"}'}, "form_missing"),
        ({"p/t.json": '{"$ref":"https://example.org/x.json"}'}, "reference"),
        ({"p/t.json": '{"$ref":"../../secret.json"}'}, "reference"),
        ({"p/t.json": '{"$ref":"fields/a.json"}', "fields/a.json": '{"x":{"$ref":"fields/a.json"}}'}, "circle"),
        ({"p/t.json": '{"type":"object","properties":{"a":{"$ref":"#/$defs/x"}}}'}, "reference"),
        ({"p/t.json": '{"type":"object","properties":{"a":{"$ref":"#"}}}'}, "circle"),
        ({"p/t.json": '{"type":"array"}'}, "root"),
        ({"p/t.json": '{"type":"object","title":"t","required":5}'}, "schema"),
    ],
)
def test_a_file_that_is_no_form_is_refused(files: dict[str, str], rule: str) -> None:
    library = Library({f"forms/{path}": text.encode() for path, text in files.items()})
    assert rule in {f.rule for f in forms.check_form("p/t.json", library)}


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ({"type": "string"}, "title"),
        ({"title": "x"}, "type"),
        ({"type": "object", "title": "x", "properties": {"a": TEXT}}, "open"),
        ({"type": "string", "title": "x", "enum": ["a"]}, "labels"),
        ({"type": "string", "title": "x", "x-widget": "slider"}, "widget"),
        ({"type": "string", "title": "x", "x-prefill": "a b"}, "prefill"),
        ({"type": "string", "title": "x", "format": "zip"}, "format"),
        ({"type": "string", "title": "x", "pattern": "a"}, "pattern"),
        ({"type": "string", "title": "x", "pattern": "(?=a)b", "x-pattern-zh": "x"}, "schema"),
        ({"type": "array", "title": "x"}, "items"),
        ({"type": "string", "title": "x", "unevaluatedItems": False}, "keyword"),
    ],
)
def test_the_gate_names_the_bad_field(field: dict[str, Any], rule: str) -> None:
    library = Library({"forms/p/t.json": json.dumps(group({"bad": field}, title="t")).encode()})
    found = [f for f in forms.check_form("p/t.json", library) if f.severity == "error"]
    assert rule in {f.rule for f in found}
    assert all(f.where.startswith("forms/p/t.json") for f in found)


def test_the_gate_finds_rules_about_fields_that_do_not_exist() -> None:
    rule = {"if": {"required": ["ghost"]}, "then": {"required": ["phantom"]}}
    library = Library({"forms/p/t.json": json.dumps(group({"a": TEXT}, "spectre", title="t", allOf=[rule])).encode()})
    found = {f.where for f in forms.check_form("p/t.json", library) if f.rule == "unknown_name"}
    assert found == {f"forms/p/t.json#{name}" for name in ("ghost", "phantom", "spectre")}


# --- check


def test_every_bad_field_is_told_at_once_and_at_its_place() -> None:
    found = form(
        group(
            {
                "a": TEXT,
                "n": {"type": "integer", "maximum": 3},
                "g": group({"x": TEXT, "p": {**TEXT, "format": "phone"}}, "x"),
                "rows": {"type": "array", "items": group({"s": {"type": "string", "enum": ["ok"]}}, "s")},
            },
            "a",
            "g",
            dependentRequired={"n": ["rows"]},
        )
    )
    assert faults(found, {"n": 4, "g": {"p": "1", "other": 1}, "b": 1}) == {
        "a": "required",
        "n": "maximum",
        "rows": "required",
        "g.x": "required",
        "g.p": "format",
        "g.other": "additionalProperties",
        "b": "additionalProperties",
    }
    assert faults(found, {"a": "x", "g": {"x": "y"}, "rows": [{}, {"s": "no"}, 5]}) == {
        "rows.0.s": "required",
        "rows.1.s": "enum",
        "rows.2": "type",
    }


def test_wrong_types_are_refused_and_whole_numbers_become_ints() -> None:
    found = form(group({"n": {"type": "integer"}, "b": {"type": "boolean"}, "t": TEXT}))
    assert faults(found, {"n": "1", "b": "true", "t": 1}) == {"n": "type", "b": "type", "t": "type"}
    assert faults(found, {"n": None, "b": 1, "t": []}) == {"n": "type", "b": "type", "t": "type"}
    typed = forms.check(found, {"n": 3.0, "t": "  x \n"}, variables={})
    assert typed == {"n": 3, "t": "x"}
    assert isinstance(typed["n"], int)


def test_blanks_do_not_fill_in_a_required_text() -> None:
    assert faults(form(group({"a": TEXT}, "a")), {"a": " 　\t"}) == {"a": "minLength"}


def test_duties_follow_from_other_answers() -> None:
    rule = {"if": {"properties": {"m": {"const": "post"}}, "required": ["m"]}, "then": {"required": ["to"]}}
    found = form(group({"m": {"type": "string", "enum": ["post", "window"]}, "to": TEXT}, "m", allOf=[rule]))
    assert faults(found, {"m": "post"}) == {"to": "required"}
    assert forms.check(found, {"m": "window"}, variables={}) == {"m": "window"}
    assert [f.required for f in forms.fields(found, {"m": "post"})] == [True, True]
    assert [f.required for f in forms.fields(found, {"m": "window"})] == [True, False]


def test_the_branch_that_comes_closest_tells_what_is_wrong() -> None:
    branches = [
        {"properties": {"k": {"const": "p"}, "m": {"minLength": 3}}, "required": ["k", "m"]},
        {"properties": {"k": {"const": "q"}}, "required": ["k"]},
    ]
    found = form(group({"g": group({"k": TEXT, "m": TEXT}, oneOf=branches)}, "g"))
    assert faults(found, {"g": {"k": "p"}}) == {"g.m": "required"}


def test_a_text_without_a_bound_gets_two_thousand_characters_and_a_list_two_hundred_rows() -> None:
    found = form(group({"t": {"type": "string"}, "l": {"type": "array", "items": {"type": "integer"}}}))
    assert forms.check(found, {"t": "字" * 2000, "l": [1] * 200}, variables={})
    assert faults(found, {"t": "字" * 2001, "l": [1] * 201}) == {"t": "maxLength", "l": "maxItems"}


@pytest.mark.parametrize(
    "answers", [{"t": "x" * 10_000_000}, {"t": ["y"] * 3_000_000}, {str(n): "" for n in range(100_000)}]
)
def test_large_answers_are_refused_quickly(answers: dict[str, Any]) -> None:
    found = form(group({"t": TEXT}))
    before = time.perf_counter()
    assert faults(found, answers)
    assert time.perf_counter() - before < 1


def test_deep_answers_are_refused_without_a_stack_overflow() -> None:
    deep: Any = {}
    for _ in range(200_000):
        deep = {"a": deep}
    assert set(faults(form(group({"a": TEXT})), deep).values()) == {"depth"}
    while deep:
        deep = deep["a"]


@pytest.mark.parametrize("value", ["a\x00b", "\ud800", float("nan"), float("inf"), 10**400, b"x", {1: 2}, object()])
def test_what_json_and_the_database_cannot_keep_is_refused(value: Any) -> None:
    assert set(faults(form(group({"a": {"type": "string"}})), {"a": value})) == {"a"}


def test_no_finding_quotes_what_was_written() -> None:
    secret = "11010519491231999X"
    found = form(group({"id": {**TEXT, "format": "id-number"}, "e": {"type": "string", "enum": ["a"]}}, additional=1))
    with pytest.raises(FormInvalid) as refused:
        forms.check(found, {"id": secret, "e": secret, secret: 1, "张三": 1}, variables={})
    told = " ".join(f"{f.where} {f.zh} {f.en}" for f in refused.value.findings) + str(refused.value)
    assert secret not in told
    assert "张三" not in told


def test_designers_may_word_a_fault_themselves() -> None:
    field = {**TEXT, "pattern": "^[0-9]+$", "x-pattern-zh": "只填数字", "x-pattern-en": "Digits"}
    listed = {
        "type": "array",
        "items": {"type": "integer"},
        "contains": {"const": 1},
        "x-message-zh": "须有一",
        "x-message-en": "One",
    }
    with pytest.raises(FormInvalid) as refused:
        forms.check(form(group({"a": field, "l": listed})), {"a": "x", "l": [2]}, variables={})
    assert [(f.zh, f.en) for f in refused.value.findings] == [("只填数字", "Digits"), ("须有一", "One")]


# --- what only the case may say


def test_read_only_fields_come_from_the_case_whatever_was_sent() -> None:
    found = form(group({"seen": {**TEXT, "readOnly": True, "x-prefill": "a.b"}, "free": {**TEXT, "readOnly": True}}))
    assert forms.check(found, {"seen": "forged", "free": "forged"}, variables={"a": {"b": "true"}}) == {"seen": "true"}
    assert forms.check(found, {"seen": "forged"}, variables={}) == {}


def test_rows_given_by_the_case_are_matched_by_what_they_name_or_by_their_place() -> None:
    found = form(group({"rows": ROWS}, "rows"))
    whole = {"rows": [{"code": "M1", "status": "ok"}, {"code": "M2", "status": "missing"}]}
    by_place = {"rows": [{"status": "ok"}, {"status": "missing"}]}
    by_name = {"rows": [{"code": "M2", "status": "missing"}, {"code": "M1", "status": "ok"}]}
    for sent in (whole, by_place, by_name):
        assert forms.check(found, sent, variables={"item": MATERIALS}) == whole


def test_rows_of_the_case_cannot_be_left_out_added_or_renamed() -> None:
    found = form(group({"rows": ROWS}, "rows"))
    assert faults(found, {}, item=MATERIALS) == {"rows.0.status": "required", "rows.1.status": "required"}
    assert faults(found, {"rows": [{"code": "M2", "status": "ok"}]}, item=MATERIALS) == {"rows.0.status": "required"}
    extra = {"rows": [{"status": "ok"}, {"status": "ok"}, {"status": "ok"}]}
    assert faults(found, extra, item=MATERIALS) == {"rows.2": "row_unknown"}
    renamed = {"rows": [{"code": "M9", "status": "ok"}, {"code": "M2", "status": "ok"}]}
    assert faults(found, renamed, item=MATERIALS) == {"rows.0": "row_unknown", "rows.0.status": "required"}


def test_prefill_shows_what_the_case_knows_and_defaults_and_no_more() -> None:
    found = form(
        group(
            {
                "name": {**TEXT, "x-prefill": "applicant.name"},
                "way": {"type": "string", "enum": ["a", "b"], "default": "a"},
                "rows": ROWS,
                "none": {**TEXT, "x-prefill": "nowhere.at.all"},
            }
        )
    )
    variables = {"applicant": {"name": "某店"}, "item": MATERIALS}
    assert forms.prefill(found, variables) == {"name": "某店", "way": "a", "rows": [{"code": "M1"}, {"code": "M2"}]}
    forms.prefill(found, variables)["rows"][0]["code"] = "x"
    assert MATERIALS["materials"][0]["code"] == "M1"


def test_attachments_are_found_wherever_they_lie() -> None:
    file = {"type": "string", "format": "attachment", "title": "文件"}
    found = form(group({"a": file, "l": {"type": "array", "items": file}, "g": group({"f": file}), "t": TEXT}))
    other = "sha256:" + "cd" * 32
    typed = forms.check(found, {"a": FILE, "l": [FILE, other], "g": {"f": FILE}, "t": "x"}, variables={})
    assert forms.attachments(found, typed) == [FILE, other]


# --- posts and fields
