"""The demonstration's answers fit every form of the repository, and belong to nobody."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from api.accounts import demo_accounts
from api.answers import Author, credit_code, id_number
from api.patterns import sample
from engine import forms
from engine.commands import read_library
from engine.forms import formats
from engine.registers import read_registers

ROOT = Path(__file__).parent.parent
LIBRARY = read_library(ROOT)
DIGEST = "sha256:" + "0" * 64
PATHS = sorted(
    path.removeprefix("forms/") for path, _ in LIBRARY.under("forms/", ".json") if not path.startswith("forms/fields/")
)


def author(seed: int, chosen: Counter[Any] | None = None) -> Author:
    return Author(
        random=Random(seed),
        today=date(2026, 3, 2),
        upload=lambda name: DIGEST,
        chosen=Counter() if chosen is None else chosen,
    )


def variables() -> dict[str, Any]:
    item = read_registers(LIBRARY).item("1144010399900016044440116067000")
    points = [{"point": "选址", "requirement": "整洁"}, {"point": "布局", "requirement": "生熟分开"}]
    return {"item": item, "inspection_points": points}


@pytest.mark.parametrize("path", PATHS)
def test_answers_to_every_form_of_the_repository_are_accepted(path: str) -> None:
    form = forms.read_form(forms.bundle(path, LIBRARY))
    for seed in range(30):
        answers = author(seed).answers(form.schema, "some_task", variables())
        forms.check(form, answers, variables=variables())


def test_identity_numbers_and_credit_codes_are_right_but_of_no_district() -> None:
    random = Random(1)
    for _ in range(500):
        number, code = id_number(random), credit_code(random)
        assert formats.id_number(number)
        assert formats.credit_code(code)
        assert number[:6] == code[2:8] == "999999"


def test_a_choice_taken_before_in_the_case_becomes_rare_so_that_loops_end() -> None:
    schema = {"type": "object", "properties": {"result": {"enum": ["returned", "granted"]}}, "required": ["result"]}
    chosen: Counter[Any] = Counter({("decide", "result", "returned"): 4})
    results = Counter(author(seed, Counter(chosen)).answers(schema, "decide", {})["result"] for seed in range(500))
    assert results["granted"] > 495
    fresh = Counter(author(seed).answers(schema, "decide", {})["result"] for seed in range(500))
    assert 40 < fresh["returned"] < 140


def test_a_condition_that_makes_a_field_a_duty_is_met() -> None:
    schema = {
        "type": "object",
        "properties": {"method": {"enum": ["post"]}, "address": {"type": "string", "title": "地址"}},
        "required": ["method"],
        "if": {"properties": {"method": {"const": "post"}}},
        "then": {"required": ["address"]},
    }
    for seed in range(20):
        assert author(seed).answers(schema, "apply", {})["address"].startswith("演示地址")


def test_rows_known_from_the_case_are_filled_in_and_none_is_added() -> None:
    schema = {
        "type": "object",
        "properties": {
            "rows": {
                "type": "array",
                "x-prefill": "item.materials",
                "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string", "readOnly": True}, "ok": {"type": "boolean"}},
                    "required": ["ok"],
                },
            }
        },
        "required": ["rows"],
    }
    rows = author(1).answers(schema, "check", {"item": {"materials": [{"name": "a"}, {"name": "b"}]}})["rows"]
    assert [set(row) for row in rows] == [{"ok"}, {"ok"}]


@pytest.mark.parametrize("pattern", [r"^[0-9]{6}$", r"^([A-Z]{2}[0-9]{9}[A-Z]{2}|\d{13})$", r"^JY-?[a-c]+(x|y)?$"])
def test_a_text_for_a_pattern_matches_it(pattern: str) -> None:
    for seed in range(50):
        sample(pattern, Random(seed))


def test_a_pattern_beyond_the_plain_ones_is_named_not_guessed() -> None:
    with pytest.raises(ValueError, match="pattern"):
        sample(r"^(?=.*[0-9])[a-z]+$", Random(1))


def test_every_role_but_the_auditors_kind_has_a_demo_account_and_inspectors_are_two() -> None:
    held = Counter(role for account in demo_accounts() for role in account.roles)
    assert set(held) == {row["role"] for row in read_registers(LIBRARY).table("roles").rows}
    assert held["inspector"] == held["intake_clerk"] == 2
