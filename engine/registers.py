"""The district's tables: CSV files read into frozen registers, joined and checked, and the row of a service item."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from engine.errors import Finding, Invalid, NotFound
from engine.model import Library

UNITS = frozenset({"working_days", "work_hours", "calendar_days", "hours", "months"})
HANDLING = frozenset({"instant", "promised", "answered"})
REQUIRED = frozenset({"required", "optional", "later"})
ITEM_COLUMNS = [
    "code",
    "key",
    "name",
    "kind",
    "audience",
    "handling",
    "statutory_days",
    "statutory_unit",
    "promised_days",
    "promised_unit",
    "extension_days",
    "extension_unit",
    "special_procedure",
    "result_name",
    "fee",
    "legal_basis",
    "source",
]
MATERIAL_COLUMNS = ["item", "code", "name", "required", "source", "copies", "shared", "standard"]
INSPECTION = "现场核查"
_SHARED = "processes/registers/"
_SERVICES = "processes/services/"
_UNIONS = ("items", "materials")
_MAX_BYTES = 8_000_000
_MAX_CELL = 4_000
_ALLOWANCES = ("statutory", "promised", "extension")


@dataclass(frozen=True, kw_only=True, slots=True)
class Register:
    """One table. ``rows[n]`` maps column to text (never None); ``places[n]`` says where the row stands (``file:line``).

    ``digest`` is the SHA-256 of the bytes it was read from (of all its files for a united register).
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    places: tuple[str, ...]
    digest: str

    def key(self, row: Mapping[str, str]) -> tuple[str, ...]:
        """What makes a row unique: the first column; for ``materials`` the item and the material's code."""
        columns = self.columns[:2] if self.name == "materials" else self.columns[:1]
        return tuple(row[c] for c in columns)


def _finding(where: str, rule: str, zh: str, en: str) -> Finding:
    return Finding(where=where, rule=rule, zh=zh, en=en)


def _text(name: str, content: bytes) -> str:
    if len(content) > _MAX_BYTES:
        raise Invalid([_finding(f"{name}:1", "too_large", "文件超过 8 MB", "The file is larger than 8 MB")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content[: fault.start].count(b"\n") + 1
        zh, en = "不是 UTF-8 编码，请另存为 UTF-8 的 CSV", "Not UTF-8; save the table as CSV in UTF-8"
        raise Invalid([_finding(f"{name}:{line}", "encoding", zh, en)]) from fault


def _header(name: str, cells: list[str]) -> tuple[str, ...]:
    columns = tuple(c.strip() for c in cells)
    if not columns or not all(columns) or len(set(columns)) != len(columns):
        zh, en = "首行须为列名，不得为空或者重复", "The first line must name every column, each once"
        raise Invalid([_finding(f"{name}:1", "header", zh, en)])
    return columns


def read_register(name: str, content: bytes) -> Register:
    """The table in ``content`` (CSV, UTF-8 with or without BOM, first line = column names, first column = key).

    ``name`` is a path or a bare name; the register is called by its stem. Raises Invalid with all findings.
    """
    lines = csv.reader(io.StringIO(_text(name, content), newline=""), strict=True)
    columns: tuple[str, ...] = ()
    rows: list[Mapping[str, str]] = []
    places: list[str] = []
    findings: list[Finding] = []
    first = 1
    try:
        for cells in lines:
            where, first = f"{name}:{first}", lines.line_num + 1
            if not columns:
                columns = _header(name, cells)
            elif cells:
                findings += _cell_findings(where, columns, cells)
                rows.append(MappingProxyType(dict(zip(columns, (c.strip() for c in cells), strict=False))))
                places.append(where)
    except csv.Error:
        findings.append(_finding(f"{name}:{lines.line_num}", "csv", "引号不成对或者格式有误", "Broken quoting"))
    if not columns:
        _header(name, [])
    stem = name.rsplit("/", 1)[-1].removesuffix(".csv")
    digest = sha256(content).hexdigest()
    register = Register(name=stem, columns=columns, rows=tuple(rows), places=tuple(places), digest=digest)
    _raise(findings or _key_findings(register))
    return register


def _cell_findings(where: str, columns: tuple[str, ...], cells: list[str]) -> Iterable[Finding]:
    if len(cells) != len(columns):
        zh = f"应有 {len(columns)} 列，实有 {len(cells)} 列"
        yield _finding(where, "columns", zh, f"{len(columns)} cells expected, {len(cells)} found")
    if any(len(c) > _MAX_CELL for c in cells):
        yield _finding(where, "cell_length", f"单元格超过 {_MAX_CELL} 字", f"A cell is longer than {_MAX_CELL}")


def _key_findings(register: Register) -> list[Finding]:
    findings: list[Finding] = []
    seen: set[tuple[str, ...]] = set()
    for row, where in zip(register.rows, register.places, strict=True):
        key = register.key(row)
        if not all(key):
            findings.append(_finding(where, "key_missing", "首列（键）为空", "The key column is empty"))
        elif key in seen:
            findings.append(_finding(where, "key_repeated", "首列（键）重复", "The key occurs twice"))
        seen.add(key)
    return findings


def _raise(findings: list[Finding]) -> None:
    if findings:
        raise Invalid(findings, "A register is not acceptable")


@dataclass(frozen=True, slots=True)
class Registers:
    """All registers of one publication. Built by ``read_registers``; read by name and key only."""

    tables: Mapping[str, Register]
    _index: Mapping[str, Mapping[tuple[str, ...], Mapping[str, str]]] = field(repr=False)

    def table(self, name: str) -> Register:
        """The register called ``name``. Raises NotFound."""
        if name not in self.tables:
            raise NotFound(register=name)
        return self.tables[name]

    def row(self, name: str, key: str) -> Mapping[str, str]:
        """The row of register ``name`` whose first column is ``key``. Raises NotFound."""
        row = self._index.get(name, {}).get((key,))
        if row is None:
            raise NotFound(register=name)
        return row

    def item(self, code: str) -> dict[str, Any]:
        """The case variable ``item`` of the service item with this 31-digit code: plain JSON, a fresh copy each time.

        Days are ints in the unit beside them. Raises NotFound.
        """
        row = self.row("items", code)
        department = self.row("departments", row["department"])
        kept = [
            "code",
            "key",
            "name",
            "kind",
            "audience",
            "handling",
            "result_name",
            "fee",
            "legal_basis",
            "special_procedure",
            "department",
        ]
        item: dict[str, Any] = {column: row[column] for column in kept}
        for name in _ALLOWANCES:
            item[f"{name}_days"] = int(row[f"{name}_days"])
            item[f"{name}_unit"] = row[f"{name}_unit"]
        item["department_name"] = department["name"]
        item["scope"] = f"liwan/dept/{row['department']}"
        item["inspection"] = INSPECTION in row["special_procedure"].split("；")
        item["materials"] = [_material(m) for m in self.table("materials").rows if m["item"] == code]
        return item


def _material(row: Mapping[str, str]) -> dict[str, Any]:
    material: dict[str, Any] = {c: row[c] for c in ("code", "name", "required", "source", "standard")}
    return material | {"copies": int(row["copies"]), "shared": row["shared"] == "yes"}


def read_registers(library: Library) -> Registers:
    """Every table of the designers' room, checked against each other.

    ``processes/registers/<name>.csv`` gives one register each; ``items`` and ``materials`` unite the files of all
    ``processes/services/<department>/`` and carry the column ``department``. Raises Invalid with all findings.
    """
    findings: list[Finding] = []
    tables: dict[str, Register] = {}
    parts: dict[str, list[tuple[str, Register]]] = {name: [] for name in _UNIONS}
    files = [f for root in (_SHARED, _SERVICES) for f in library.under(root, ".csv")]
    for path, content in files:
        stem = path.rsplit("/", 1)[-1].removesuffix(".csv")
        if path.startswith(_SERVICES) and stem not in parts:
            continue
        try:
            register = read_register(path, content)
        except Invalid as fault:
            findings += fault.findings
            continue
        if path.startswith(_SHARED):
            tables[stem] = register
        else:
            parts[stem].append((path.split("/")[2], register))
    for name, columns in (("items", ITEM_COLUMNS), ("materials", MATERIAL_COLUMNS)):
        tables[name] = _union(name, columns, parts[name], findings)
    _raise(findings)
    _raise(_key_findings(tables["items"]) + _key_findings(tables["materials"]))
    _raise([*_item_findings(tables), *_material_findings(tables), *_deadline_findings(tables), *_unit_findings(tables)])
    index = {name: {table.key(row): row for row in table.rows} for name, table in tables.items()}
    return Registers(MappingProxyType(tables), index)


def _union(name: str, columns: list[str], parts: list[tuple[str, Register]], findings: list[Finding]) -> Register:
    rows: list[Mapping[str, str]] = []
    places: list[str] = []
    digest = sha256()
    for department, part in parts:
        missing = [c for c in columns if c not in part.columns]
        if missing:
            where = part.places[0] if part.places else f"{_SERVICES}{department}/{name}.csv:1"
            listed = "、".join(missing)
            findings.append(_finding(where, "columns", f"缺少列：{listed}", f"Columns missing: {', '.join(missing)}"))
        rows += [MappingProxyType({**row, "department": department}) for row in part.rows]
        places += part.places
        digest.update(department.encode() + b"\0" + bytes.fromhex(part.digest))
    return Register(
        name=name, columns=(*columns, "department"), rows=tuple(rows), places=tuple(places), digest=digest.hexdigest()
    )


def _rows(tables: Mapping[str, Register], name: str) -> Iterable[tuple[Mapping[str, str], str]]:
    return zip(tables[name].rows, tables[name].places, strict=True) if name in tables else ()


def _item_findings(tables: Mapping[str, Register]) -> Iterable[Finding]:
    departments = {row["department"]: row for row, _ in _rows(tables, "departments")}
    keys: set[str] = set()
    for row, where in _rows(tables, "items"):
        department = departments.get(row["department"])
        if department is None:
            yield _finding(where, "department", "文件夹不是已登记的部门", "The folder names no department")
        elif len(row["code"]) != 31 or not row["code"].startswith(department.get("credit_code", "")):
            zh = "实施编码须为 31 位，并以本部门的统一社会信用代码开头"
            yield _finding(where, "item_code", zh, "31 characters, beginning with the department's credit code")
        if row["key"] in keys:
            yield _finding(where, "key_repeated", "流程键重复", "The process key occurs twice")
        keys.add(row["key"])
        if row["handling"] not in HANDLING:
            yield _finding(where, "handling", "办件类型只能是 instant、promised、answered", "Unknown handling")
        yield from _allowance_findings(row, where)


def _allowance_findings(row: Mapping[str, str], where: str) -> Iterable[Finding]:
    for name in _ALLOWANCES:
        if not _whole(row[f"{name}_days"]) or row[f"{name}_unit"] not in UNITS:
            zh = f"{name}_days 须为整数，{name}_unit 须为规定的单位"
            yield _finding(where, "allowance", zh, f"{name}_days must be a whole number in a known unit")
            return
    if row["promised_unit"] == row["statutory_unit"] and int(row["promised_days"]) > int(row["statutory_days"]):
        yield _finding(where, "promise_longer", "承诺时限超过法定时限", "The promise is longer than the law allows")


def _material_findings(tables: Mapping[str, Register]) -> Iterable[Finding]:
    items = {row["code"] for row, _ in _rows(tables, "items")}
    for row, where in _rows(tables, "materials"):
        if row["item"] not in items:
            yield _finding(where, "item_unknown", "没有此实施编码的事项", "No item has this code")
        if row["required"] not in REQUIRED or row["shared"] not in {"yes", "no"} or not _whole(row["copies"]):
            zh = "required 只能是 required、optional、later，shared 只能是 yes、no，copies 须为整数"
            yield _finding(where, "material", zh, "Unknown value in required, shared or copies")


def _deadline_findings(tables: Mapping[str, Register]) -> Iterable[Finding]:
    items = set(ITEM_COLUMNS)
    for row, where in _rows(tables, "deadline_kinds"):
        allowance, unit = row.get("allowance", ""), row.get("unit", "")
        known = unit.removeprefix("item:") in items if unit.startswith("item:") else unit in UNITS
        drawn = allowance.removeprefix("item:") in items if allowance.startswith("item:") else _whole(allowance)
        if not known or not drawn:
            zh = "allowance 须为整数或 item:列名，unit 须为规定的单位或 item:列名"
            yield _finding(where, "allowance", zh, "allowance and unit: a number and a known unit, or item:<column>")
        if row.get("holder") not in {"agency", "applicant"}:
            yield _finding(where, "holder", "holder 只能是 agency 或 applicant", "holder: agency or applicant")
        if not row.get("citation"):
            yield _finding(where, "citation", "须写明依据", "A citation is required")


def _unit_findings(tables: Mapping[str, Register]) -> Iterable[Finding]:
    units = {row["unit"] for row, _ in _rows(tables, "units") if "unit" in row}
    for row, where in _rows(tables, "units"):
        parent = row.get("parent", "")
        if parent and (parent not in units or not row["unit"].startswith(parent + "/")):
            yield _finding(where, "parent", "上级单位不存在或者与范围路径不符", "The parent does not hold this scope")


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4
