"""Knows the commands that take history elsewhere and execute it again: `sanwei export`, `sanwei replay`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from api.settings import read_settings
from engine import commands
from engine.calendar import SHANGHAI
from engine.model import SYSTEM
from engine.store import Chosen, Store

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@contextmanager
def counting(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar on the error stream; call it with how many there are by now."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as bar:
        row = bar.add_task(what, total=total)
        yield lambda number: bar.update(row, completed=number)


def export(
    file: Annotated[Path, typer.Argument(help="The file to write; an existing one is left alone.")],
    format_: Annotated[Literal["package"], typer.Option("--format", help="What to write.")] = "package",
    case: Annotated[list[str] | None, typer.Option(help="A case's number; may be given several times.")] = None,
    process: Annotated[str | None, typer.Option(help="Only cases of this process.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only what changed since.")] = None,
) -> None:
    """Write cases with their history, and all it takes to execute it again, into one signed file."""
    if file.exists():
        err.print(f"[red]{file.name}: the file exists[/red]")
        raise typer.Exit(2)
    settings = read_settings()
    store = Store.open(settings.database_url, settings.keys())
    moment = since.replace(tzinfo=SHANGHAI) if since else None
    chosen = Chosen(business_keys=tuple(case or ()), process_key=process, since=moment)
    unfinished = file.with_name(f"{file.name}.part")
    try:
        with unfinished.open("wb") as to, counting(f"cases ({format_})") as tell:
            written = commands.export_cases(
                commands.Office(store), SYSTEM, chosen, to, on_case=lambda so_far: tell(so_far.cases)
            )
        unfinished.rename(file)
    finally:
        unfinished.unlink(missing_ok=True)
        store.close()
    out.print(f"{written.cases} cases, {written.events} events, {file.stat().st_size} bytes, manifest {written.digest}")


def replay(
    package: Annotated[Path | None, typer.Argument(help="A package; nothing but the file is read.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every case of the database instead, reading only.")] = False,
    values: Annotated[bool, typer.Option("--values", help="Show what differs; it may be personal.")] = False,
) -> None:
    """Execute history again and compare every event. Exit 1 where one differs."""
    if (package is None) != all_:
        err.print("[red]Name a package, or say --all.[/red]")
        raise typer.Exit(2)
    began = monotonic()
    summary = _from_package(package) if package else _from_store()
    for one in summary.differing:
        _print_difference(one, values)
    if summary.differences > len(summary.differing):
        err.print(f"[red]… and {summary.differences - len(summary.differing)} more cases[/red]")
    took = monotonic() - began
    out.print(
        f"{summary.cases} cases: {summary.identical} identical, {summary.differences} differ, {summary.erased} erased\n"
        f"{summary.events} events, {summary.executed} inputs executed again, {summary.passed} passed over\n"
        f"{took:.1f} s, {summary.cases / took:.1f} cases a second"
    )
    raise typer.Exit(1 if summary.differences else 0)


def _from_package(path: Path) -> commands.Replayed:
    settings = read_settings()
    # Keys are only read where there are some: a package proves itself by its digests, its signer by a key.
    keys = settings.keys() if settings.keys_path.exists() else None
    with path.open("rb") as file:
        opened = commands.read_package(file, signing=commands.ChainSigning(keys) if keys else None, keys=keys)
        known = "good" if opened.signature.good else "by a key that is not known here: not checked"
        out.print(f"signature {opened.signature.algorithm} {escape(opened.signature.key)}: {known}")
        with counting("cases", opened.counts.get("cases")) as tell:
            return commands.replay_cases(
                commands.Shelf(opened), opened.cases(), on_case=lambda so_far: tell(so_far.cases)
            )


def _from_store() -> commands.Replayed:
    settings = read_settings()
    store = Store.open(settings.database_url, settings.keys())
    try:
        with counting("cases") as tell:
            return commands.replay_store(store, Chosen(), on_case=lambda so_far: tell(so_far.cases))
    finally:
        store.close()


def _print_difference(one: commands.CaseReplay, values: bool) -> None:
    found = one.difference
    if found is None:
        return
    where = f" at {found.element}" if found.element else ""
    err.print(f"[red]{escape(f'{one.business_key} event {found.number} {found.kind}{where}')}: {found.what}[/red]")
    if values:
        err.print(f"  recorded {escape(str(found.recorded))}\n  came     {escape(str(found.came))}")
