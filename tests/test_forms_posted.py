"""What browsers post becomes answers again, and the tree of fields that screens render; the shared groups."""

from __future__ import annotations

import json

import pytest

from engine import forms
from engine.errors import FormInvalid, Refused
from engine.model import Library
from engine.registers import read_registers
from tests.test_forms import FILE, MATERIALS, ROWS, TEXT, faults, form, group, shipped

KINDS = form(
    group(
        {
            "t": TEXT,
            "n": {"type": "integer"},
            "d": {"type": "number"},
            "b": {"type": "boolean"},
            "m": {"type": "array", "uniqueItems": True, "items": {"type": "string", "enum": ["x", "y"]}},
            "g": group({"a": TEXT, "way": {"type": "string", "enum": ["a", "b"], "default": "a"}}, "a"),
            "rows": {"type": "array", "items": group({"a": TEXT, "n": {"type": "integer", "default": 1}})},
            "f": {"type": "array", "items": {"type": "string", "format": "attachment"}},
        },
        "t",
    )
)


def test_a_post_is_read_by_the_types_of_the_form() -> None:
    pairs = [
        ("t", "a\r\nb"),
        ("n", "7"),
        ("d", "2.5"),
        ("b", "false"),
        ("b", "true"),
        ("m", ""),
        ("m", "x"),
        ("m", "y"),
    ]
    pairs += [("g.a", "z"), ("rows.7.a", "two"), ("rows.2.a", "one"), ("rows.3.a", ""), ("f.0", ""), ("f.0", FILE)]
    assert forms.from_fields(KINDS, pairs) == {
        "t": "a\nb",
        "n": 7,
        "d": 2.5,
        "b": True,
        "m": ["x", "y"],
        "g": {"a": "z"},
        "rows": [{"a": "one"}, {"a": "two"}],
        "f": [FILE],
    }


def test_what_nobody_filled_in_is_absent() -> None:
    pairs = [
        ("t", " "),
        ("n", ""),
        ("b", "false"),
        ("m", ""),
        ("g.a", ""),
        ("g.way", "a"),
        ("rows.0.a", ""),
        ("rows.0.n", "1"),
    ]
    assert forms.from_fields(KINDS, [*pairs, ("_csrf", "x")]) == {"b": False}


def test_a_confirmation_not_asked_for_may_stay_unticked_and_one_asked_for_may_not() -> None:
    sure = {"type": "boolean", "const": True}
    asked = form(group({"always": sure, "sometimes": sure}, "always"))
    raw = forms.from_fields(asked, [("always", "false"), ("sometimes", "false")])
    assert raw == {"always": False}
    assert faults(asked, raw) == {"always": "const"}
    assert forms.check(asked, {"always": True}, variables={}) == {"always": True}


def test_a_code_of_a_format_is_typed_in_one_line() -> None:
    shown = forms.fields(form(group({"code": {"type": "string", "format": "credit-code"}})), {})
    assert [field.widget for field in shown] == ["text"]


def test_text_that_is_no_number_is_told_by_the_check() -> None:
    raw = forms.from_fields(KINDS, [("t", "x"), ("n", "seven"), ("d", "1e9")])
    assert faults(KINDS, raw) == {"n": "type", "d": "type"}


def test_posted_names_the_form_does_not_know_are_refused_by_name() -> None:
    raw = forms.from_fields(KINDS, [("t", "x"), ("role", "admin"), ("g.a", "x"), ("g.is.deep", "1"), ("rows.x.a", "1")])
    assert faults(KINDS, raw) == {"role": "additionalProperties", "g.is": "additionalProperties", "rows": "type"}


@pytest.mark.parametrize("name", ["a..b", ".", "a." * 20 + "a", "x" * 400])
def test_senseless_names_are_refused(name: str) -> None:
    with pytest.raises(FormInvalid):
        forms.from_fields(KINDS, [(name, "1")])


def test_too_many_pairs_are_refused() -> None:
    with pytest.raises(FormInvalid):
        forms.from_fields(KINDS, (("t", "x") for _ in range(6_000)))


def posted(tree: list[forms.Field]) -> list[tuple[str, str]]:
    """What a browser would send of a form shown."""
    pairs: list[tuple[str, str]] = []
    for field in tree:
        if field.widget in {"group", "rows"}:
            pairs += posted(list(field.children))
        elif field.widget == "checkboxes":
            pairs += [(field.path, str(v)) for v in field.value or ()]
        elif field.widget == "checkbox":
            pairs += [(field.path, "false")] + ([(field.path, "true")] if field.value else [])
        else:
            pairs.append((field.path, "" if field.value is None else str(field.value)))
    return pairs


def test_what_is_shown_comes_back_when_posted() -> None:
    answers = {
        "t": "x",
        "n": 3,
        "d": 1.5,
        "b": True,
        "m": ["y"],
        "g": {"a": "q", "way": "b"},
        "rows": [{"a": "1", "n": 2}],
    }
    assert forms.from_fields(KINDS, posted(forms.fields(KINDS, answers))) == answers


def test_rows_of_the_case_keep_their_places_in_a_post() -> None:
    found = form(group({"rows": ROWS}, "rows"))
    shown = forms.fields(found, forms.prefill(found, {"item": MATERIALS}))
    assert shown[0].fixed
    raw = forms.from_fields(found, [*posted(shown), ("rows.1.status", "ok")])
    assert faults(found, raw, item=MATERIALS) == {"rows.0.status": "required"}


def test_findings_stand_at_their_fields_and_the_rest_is_told_apart() -> None:
    with pytest.raises(FormInvalid) as refused:
        forms.check(KINDS, {"n": "x", "ghost": 1, "rows": [{"n": "x"}]}, variables={})
    tree = forms.fields(KINDS, {"n": "x", "rows": [{"n": "x"}]}, refused.value.findings)
    at = {f.path: f for f in tree}
    assert at["n"].errors
    assert at["t"].errors
    assert at["rows"].children[0].children[1].errors
    assert [f.where for f in forms.unplaced(tree, refused.value.findings)] == ["ghost"]


def test_widgets_follow_from_types_and_hints() -> None:
    assert {f.path: f.widget for f in forms.fields(KINDS, {})} == {
        "t": "text",
        "n": "integer",
        "d": "number",
        "b": "checkbox",
        "m": "checkboxes",
        "g": "group",
        "rows": "rows",
        "f": "rows",
    }


# --- the shared groups


def shared(name: str) -> forms.Form:
    library = shipped()
    schema = json.dumps(group({"g": {"$ref": f"fields/{name}.json"}}, "g")).encode()
    return forms.read_form(forms.bundle("p/t.json", Library({**library.files, "forms/p/t.json": schema})))


def test_delivery_by_post_needs_recipient_telephone_and_address() -> None:
    found = shared("delivery")
    assert faults(found, {"g": {"method": "post"}}) == {f"g.{n}": "required" for n in ("recipient", "phone", "address")}
    assert forms.check(found, {"g": {"method": "electronic"}}, variables={})


def test_a_resident_card_needs_its_check_digit_and_a_passport_does_not() -> None:
    found = shared("person")
    person = {"name": "演示", "id_type": "resident_id", "id_number": "G12345678", "phone": "19900000000"}
    assert faults(found, {"g": person}) == {"g.id_number": "format"}
    assert forms.check(found, {"g": {**person, "id_type": "passport"}}, variables={})


def test_leased_premises_tell_until_when_and_documents_are_attached() -> None:
    found = shared("premises")
    given = {"street": "440103001", "address": "一号", "area": 20.5, "tenure": "leased", "proof": "document"}
    assert faults(found, {"g": given}) == {"g.lease_until": "required", "g.proof_file": "required"}
    assert set(faults(found, {"g": {**given, "tenure": "owned", "proof": "commitment", "area": 0}})) == {"g.area"}


def test_the_streets_of_the_form_are_the_streets_of_the_register() -> None:
    library = shipped()
    street = json.loads(library.files["forms/fields/premises.json"])["properties"]["street"]
    rows = read_registers(library).table("streets").rows
    assert street["x-labels"] == {row["street"]: row["name"] for row in rows}


def test_a_bundle_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Refused):
        forms.bundle("nowhere/x.json", Library({}))
