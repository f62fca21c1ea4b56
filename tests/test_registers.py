"""The district's tables: what is shipped fits together, and what does not fit is told line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import Invalid, NotFound
from engine.forms.formats import credit_code
from engine.model import Library
from engine.registers import Registers, read_register, read_registers

ROOT = Path(__file__).parent.parent
FOOD = "1144010399900016044440116067000"
BUSINESS = "1144010399900016044440116043000"


def shipped() -> dict[str, bytes]:
    return {p.relative_to(ROOT).as_posix(): p.read_bytes() for p in ROOT.glob("processes/**/*.csv")}


@pytest.fixture(scope="module")
def registers() -> Registers:
    return read_registers(Library(shipped()))


def changed(path: str, old: str, new: str) -> Library:
    files = shipped()
    assert old.encode() in files[path]
    files[path] = files[path].replace(old.encode(), new.encode(), 1)
    return Library(files)


def test_the_district_has_nineteen_departments_twenty_two_streets_nine_and_two_counters(registers: Registers) -> None:
    assert len(registers.table("departments").rows) == 19
    assert len(registers.table("streets").rows) == 22
    assert len(registers.table("units").rows) == 1 + 1 + 19 + 22
    kinds = [row["kind"] for row in registers.table("counters").rows]
    assert (kinds.count("intake"), kinds.count("issue")) == (9, 2)


def test_the_streets_add_up_to_the_districts_communities_grids_and_officers(registers: Registers) -> None:
    rows = registers.table("streets").rows
    assert [sum(int(r[c]) for r in rows) for c in ("communities", "grids", "team_staff")] == [186, 1370, 287]


def test_every_department_has_a_right_credit_code_and_a_unit(registers: Registers) -> None:
    for row in registers.table("departments").rows:
        assert credit_code(row["credit_code"])
        assert registers.row("units", f"liwan/dept/{row['department']}")["name"] == row["name"]


def test_an_item_is_plain_and_typed(registers: Registers) -> None:
    item = registers.item(FOOD)
    assert (item["statutory_days"], item["statutory_unit"], item["promised_days"]) == (10, "working_days", 5)
    assert (item["handling"], item["inspection"], item["scope"]) == ("promised", True, "liwan/dept/market_regulation")
    assert item["department_name"] == "广州市荔湾区市场监督管理局"
    assert item["materials"][1]["shared"] is True
    assert item["materials"][3]["required"] == "later"
    other = registers.item(BUSINESS)
    assert (other["handling"], other["promised_days"], other["inspection"]) == ("instant", 0, False)


def test_an_item_is_a_fresh_copy_each_time(registers: Registers) -> None:
    registers.item(FOOD)["materials"].clear()
    assert registers.item(FOOD)["materials"]


def test_what_is_not_there_is_not_found(registers: Registers) -> None:
    for asked in (lambda: registers.table("x"), lambda: registers.row("units", "x"), lambda: registers.item("x")):
        with pytest.raises(NotFound):
            asked()


ITEMS = "processes/services/market_regulation/items.csv"


@pytest.mark.parametrize(
    ("path", "old", "new", "rule"),
    [
        (ITEMS, FOOD, FOOD[:-1], "item_code"),
        (ITEMS, "promised,10", "later,10", "handling"),
        (ITEMS, "promised,10", "promised,ten", "allowance"),
        (ITEMS, "promised,10", "promised,4", "promise_longer"),
        (ITEMS, "individual_business_registration", "food_business_permit", "key_repeated"),
        (ITEMS, "special_procedure,", "other,", "columns"),
        ("processes/services/market_regulation/materials.csv", "M01,", "M02,", "key_repeated"),
        ("processes/services/market_regulation/materials.csv", "required,申请人", "perhaps,申请人", "material"),
        ("processes/registers/deadline_kinds.csv", "working_days", "weeks", "allowance"),
        ("processes/registers/deadline_kinds.csv", ",agency", ",nobody", "holder"),
        ("processes/registers/units.csv", "Hall,liwan", "Hall,elsewhere", "parent"),
    ],
)
def test_tables_that_do_not_fit_together_are_refused_with_file_and_line(
    path: str, old: str, new: str, rule: str
) -> None:
    with pytest.raises(Invalid) as refused:
        read_registers(changed(path, old, new))
    found = [f for f in refused.value.findings if f.rule == rule]
    assert found
    assert found[0].where.startswith(f"{path}:")


def test_a_folder_that_is_no_department_is_refused() -> None:
    files = shipped()
    files["processes/services/nobody/items.csv"] = files.pop(ITEMS)
    with pytest.raises(Invalid) as refused:
        read_registers(Library(files))
    assert "department" in {f.rule for f in refused.value.findings}


@pytest.mark.parametrize(
    ("content", "rule", "line"),
    [
        (b"", "header", 1),
        (b"a,,b\n", "header", 1),
        (b"a,a\n", "header", 1),
        (b"a,b\n1,2\n3\n", "columns", 3),
        (b"a,b\n1,2\n1,3\n", "key_repeated", 3),
        (b"a,b\n,2\n", "key_missing", 2),
        (b'a,b\n1,"2\n', "csv", 2),
        (b"a,b\n1,\xff\n", "encoding", 2),
        (b"a,b\n1," + b"x" * 5000 + b"\n", "cell_length", 2),
    ],
)
def test_a_bad_table_is_told_with_its_line(content: bytes, rule: str, line: int) -> None:
    with pytest.raises(Invalid) as refused:
        read_register("processes/registers/t.csv", content)
    assert [(f.rule, f.where) for f in refused.value.findings] == [(rule, f"processes/registers/t.csv:{line}")]


def test_a_spreadsheets_bom_blank_lines_and_line_ends_do_no_harm() -> None:
    register = read_register("t.csv", '\ufeffa,b\r\n一,"2\n3"\r\n\r\n4, 5 \r\n'.encode())
    assert register.columns == ("a", "b")
    assert [dict(row) for row in register.rows] == [{"a": "一", "b": "2\n3"}, {"a": "4", "b": "5"}]
    assert register.places == ("t.csv:2", "t.csv:5")


def test_rows_cannot_be_written_to(registers: Registers) -> None:
    with pytest.raises(TypeError):
        registers.table("units").rows[0]["name"] = "x"  # type: ignore[index]
