"""What a browser would post: the fields of a page's form, and answers as the pairs of names and texts."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any


class Form(HTMLParser):
    """The fields of the form with id `answers`, as a browser would post them."""

    def __init__(self, html: str, wanted: str = "answers") -> None:
        super().__init__()
        self.pairs: list[tuple[str, str]] = []
        self.files: list[str] = []
        self.buttons: list[str] = []
        self._wanted, self._inside = wanted, False
        self._select = self._area = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = given.get("id") == self._wanted or given.get("action") == self._wanted
        if not self._inside:
            return
        name = given.get("name", "")
        if tag == "input" and given.get("type") == "file":
            self.files.append(name)
        elif tag == "input" and (given.get("type") not in {"radio", "checkbox"} or "checked" in given):
            self.pairs.append((name, given.get("value", "")))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self.pairs.append((self._select, given["value"]))
        elif tag == "textarea":
            self._area = name
        elif tag == "button" and name == "_do":
            self.buttons.append(given["value"])

    def handle_data(self, text: str) -> None:
        if self._area and self._inside:
            self.pairs.append((self._area, text))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        if tag == "select":
            self._select = ""
        if tag == "textarea":
            self._area = ""


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Answers as the pairs a browser posts."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from flat(part, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            if isinstance(part, dict):
                yield from flat(part, f"{name}.{number}")
            else:
                yield name, str(part)
    else:
        yield name, {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
