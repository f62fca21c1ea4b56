"""Knows how wide the fields of a list's rows are drawn, in twelfths, so that one row fits one line where it can."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from markupsafe import Markup

from engine import forms

_BY_WIDGET = {"integer": 2, "number": 2, "select": 2, "textarea": 5, "checkboxes": 6, "radio": 6, "checkbox": 6}
_ELSE = 3
# A select with longer choices takes as much as a text.
_LONG_CHOICE = 7
# Length of what is only read, in widths of a Chinese character → twelfths; longer texts take half the line.
_READ = ((4, 1), (8, 2), (14, 3))
_READ_LONG = 6


def spans(tree: Iterable[forms.Field]) -> Callable[[str], Markup]:
    """A function for the template: a field's path → ` data-span="3"` for the fields of rows, else nothing."""
    known = dict(_walk(tree))

    def attribute(path: str) -> Markup:
        return Markup(' data-span="{}"').format(known[path]) if path in known else Markup("")

    return attribute


def _walk(tree: Iterable[forms.Field]) -> Iterator[tuple[str, int]]:
    for one in tree:
        if one.widget == "rows":
            cells = [(row.path, cell) for row in one.children for cell in row.children]
            widest: dict[str, int] = {}
            for before, cell in cells:
                name = cell.path.removeprefix(before)
                widest[name] = max(widest.get(name, 0), _needed(cell))
            yield from ((cell.path, widest[cell.path.removeprefix(before)]) for before, cell in cells)
        yield from _walk(one.children)


def _needed(cell: forms.Field) -> int:
    if cell.read_only:
        # Both languages: the columns stay where they are when the words are switched.
        choice = next((choice for choice in cell.choices if choice.value == cell.value), None)
        told = (choice.label, choice.label_en) if choice else (str(cell.value or ""),)
        length = max(_length(text) for text in (*told, cell.title, cell.title_en))
        return next((span for most, span in _READ if length <= most), _READ_LONG)
    if cell.widget == "select" and any(len(choice.label) >= _LONG_CHOICE for choice in cell.choices):
        return _ELSE
    if cell.widget in ("integer", "number") and not cell.required:
        return 1
    return _BY_WIDGET.get(cell.widget, _ELSE)


def _length(text: str) -> float:
    return sum(1 if ord(character) > 0x2E7F else 0.6 for character in text)
