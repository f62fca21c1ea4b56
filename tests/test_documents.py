"""Papers and notices: rendered in a closed box, escaped, bounded, and never with a hole where a value should be."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from engine.documents import check_template, render
from engine.errors import Invalid

ROOT = Path(__file__).parent.parent
TEMPLATES = [*sorted((ROOT / "forms/documents").glob("*")), *sorted((ROOT / "forms/notices").glob("*"))]


def refused(template: str, **values: Any) -> Invalid:
    with pytest.raises(Invalid) as fault:
        render(template.encode(), values)
    return fault.value


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_every_shipped_template_passes_the_check(path: Path) -> None:
    assert check_template(path.read_bytes()) == []


def test_values_are_escaped_for_html() -> None:
    assert render(b"<p>{{ name }}</p>", {"name": "<script>&\"'"}) == "<p>&lt;script&gt;&amp;&#34;&#39;</p>"


def test_a_list_is_printed_row_by_row() -> None:
    template = "{% for m in rows %}{{ loop.index }}{{ m.name }};{% endfor %}{{ rows | length }}"
    assert render(template.encode(), {"rows": [{"name": "甲"}, {"name": "乙"}]}) == "1甲;2乙;2"


def test_a_missing_value_is_a_fault_that_names_the_line_and_quotes_nothing() -> None:
    fault = refused("一\n二\n{{ person.phone }}", person={"name": "张三"})
    assert fault.findings[0].where == "template:3"
    assert "张三" not in str(fault) + fault.findings[0].zh + fault.findings[0].en


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ x['__class__'] }}",
        "{{ x | attr('__class__') }}",
        "{{ x.format(1) }}",
        "{{ '%s' | format(x) }}",
        "{{ x | safe }}",
        "{{ x | tojson }}",
        "{% include 'a' %}",
        "{% import 'a' as b %}",
        "{% extends 'a' %}",
        "{% macro m() %}{% endmacro %}",
        "{{ x() }}",
        "{{ lipsum() }}",
        "{{ cycler('a') }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ 'a' * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ 'a' % 3 }}",
        "{% for a in x %}" * 4 + "{% endfor %}" * 4,
        "{% if %}",
        "{{ x.append(1) }}",
        "{% set x.a = 1 %}",
    ],
)
def test_what_could_break_out_or_run_away_is_refused(template: str) -> None:
    refused(template, x="abc")


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
        "{% for a in range(90000) %}x{% endfor %}",
        "{{ range(999999999) | list | length }}",
    ],
)
def test_a_template_that_would_run_for_ever_ends_quickly(template: str) -> None:
    before = time.perf_counter()
    refused(template)
    assert time.perf_counter() - before < 2


def test_a_result_that_is_too_long_is_refused() -> None:
    refused("{{ x }}", x="长" * 2_000_000)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{% if %}", b"{{", b"x" * 300_000, b"{{ " + b"(" * 3000])
def test_a_template_that_is_none_is_told_not_thrown(content: bytes) -> None:
    assert check_template(content)


def test_the_same_template_serves_many_papers() -> None:
    assert [render(b"{{ n }}", {"n": n}) for n in range(3)] == ["0", "1", "2"]
