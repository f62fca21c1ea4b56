"""Papers and text messages: designers' Jinja2 templates, checked when published and rendered in a closed box."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeVisitor

from engine.calendar import SHANGHAI
from engine.errors import Finding, Invalid

__all__ = ["SHANGHAI", "check_template", "render"]

MAX_TEMPLATE = 200_000
MAX_RESULT = 1_000_000
MAX_ROUNDS = 20_000
_FILTERS = frozenset(
    {"abs", "capitalize", "count", "d", "default", "e", "escape", "first", "float", "int", "items", "join", "last"}
    | {"length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round", "select"}
    | {"selectattr", "slice", "sort", "string", "sum", "title", "trim", "truncate", "unique", "upper"}
)
_REFUSED = (
    (nodes.Include, "include"),
    (nodes.Import, "import"),
    (nodes.FromImport, "from … import"),
    (nodes.Extends, "extends"),
    (nodes.CallBlock, "call"),
    (nodes.Macro, "macro"),
    (nodes.Pow, "**"),
)
_CALLS = frozenset({"get", "items", "keys", "values", "split", "startswith", "endswith", "strip", "replace"})


class _Box(ImmutableSandboxedEnvironment):
    """No file, no import, no attribute that begins with an underscore, no format, loops that end."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Numbers may be multiplied; texts and lists may not, or a short template could fill the memory."""
        if not isinstance(left, int | float) or not isinstance(right, int | float) or operator == "**":
            raise SecurityError("operator")
        return super().call_binop(context, operator, left, right)


def _box() -> _Box:
    box = _Box(autoescape=True, undefined=StrictUndefined, trim_blocks=False, keep_trailing_newline=False)
    box.filters = {name: found for name, found in box.filters.items() if name in _FILTERS}
    box.globals = {"range": box.globals["range"]}
    return box


_BOX = _box()


def render(template: bytes, values: Mapping[str, Any]) -> str:
    """The text that ``template`` (UTF-8) makes of ``values``; everything inserted is escaped for HTML.

    A name that is not there is a fault, never an empty place. Raises Invalid (the template is wrong or too large, a
    value is missing, the result is too long); the finding names the template's line, never a value.
    """
    compiled = _compiled(template)
    parts: list[str] = []
    size = 0
    try:
        for part in itertools.islice(compiled.generate(dict(values)), MAX_ROUNDS + 1):
            size += len(part)
            if size > MAX_RESULT or len(parts) >= MAX_ROUNDS:
                raise _invalid(0, "too_long", "生成的文书过长", "The result is too long")
            parts.append(part)
    except TemplateError as fault:
        line = _line(fault)
        raise _invalid(line, "template", "文书缺少内容或者写法有误", "A value is missing or misused") from None
    except (TypeError, ValueError, KeyError, ArithmeticError, AttributeError, RecursionError) as fault:
        raise _invalid(_line(fault), "template", "文书中的内容类型不符", "A value of the wrong type") from None
    return "".join(parts)


def check_template(content: bytes) -> list[str]:
    """What is wrong with a template, one sentence for each fault; an empty list for a good one."""
    try:
        tree = _BOX.parse(_source(content))
        problems = list(_problems(tree))
        if not problems:
            _compiled(content)
    except Invalid as fault:
        return [f"{finding.en}（{finding.zh}）" for finding in fault.findings]
    except TemplateError as fault:
        return [f"Line {_line(fault)}: not valid template syntax（模板写法有误）"]
    except RecursionError:
        return ["The template is nested too deeply（模板嵌套过深）"]
    return problems


class _Depth(NodeVisitor):
    """How deep loops lie in one another."""

    def __init__(self) -> None:
        self.depth = self.deepest = 0

    def visit_For(self, node: nodes.For) -> None:
        """A loop: what is in it lies one deeper."""
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        self.generic_visit(node)
        self.depth -= 1


def _problems(tree: nodes.Template) -> Iterator[str]:
    for kind, name in _REFUSED:
        for node in tree.find_all(kind):
            yield f"Line {node.lineno}: {name} is not used in papers（文书模板不用 {name}）"
    for called in tree.find_all(nodes.Call):
        if not _allowed(called.node):
            yield f"Line {called.lineno}: only range() and plain text functions are called（不能调用此函数）"
    named = [(n.lineno, n.name) for n in tree.find_all(nodes.Name)] + [
        (n.lineno, n.attr) for n in tree.find_all(nodes.Getattr)
    ]
    for line, name in named:
        if name.startswith("_"):
            yield f"Line {line}: names do not begin with an underscore（名称不能以下划线开头）"
    for filtered in tree.find_all(nodes.Filter):
        if filtered.name == "safe":
            yield f"Line {filtered.lineno}: safe would let markup through（不能用 safe）"
    depth = _Depth()
    depth.visit(tree)
    if depth.deepest > 3:
        yield "Loops lie more than three deep（循环嵌套超过三层）"


def _allowed(called: nodes.Expr) -> bool:
    if isinstance(called, nodes.Name):
        return called.name == "range"
    return isinstance(called, nodes.Getattr) and called.attr in _CALLS


@lru_cache(maxsize=512)
def _compiled(content: bytes) -> Any:
    source = _source(content)
    try:
        tree = _BOX.parse(source)
        if list(_problems(tree)):
            raise _invalid(0, "template", "文书模板未通过检查", "The template does not pass the check")
        for loop in tree.find_all(nodes.For):
            # every round of a loop hands over a piece, were it an empty one, so that render can count rounds
            loop.body.insert(0, nodes.Output([nodes.TemplateData("")], lineno=loop.lineno))
        return Template.from_code(_BOX, _BOX.compile(tree), dict(_BOX.globals))
    except (TemplateError, RecursionError) as fault:
        raise _invalid(_line(fault), "template", "文书模板写法有误", "Not valid template syntax") from None


def _source(content: bytes) -> str:
    if len(content) > MAX_TEMPLATE:
        raise _invalid(0, "too_large", "文书模板过大", "The template is too large")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _invalid(0, "encoding", "文书模板须为 UTF-8 编码", "The template must be UTF-8") from None


def _line(fault: BaseException) -> int:
    """The template's line at which something went wrong; 0 where it cannot be known."""
    number = getattr(fault, "lineno", None)
    trace = fault.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            number = trace.tb_lineno
        trace = trace.tb_next
    return int(number or 0)


def _invalid(line: int, rule: str, zh: str, en: str) -> Invalid:
    return Invalid([Finding(where=f"template:{line}", rule=rule, zh=zh, en=en)])
