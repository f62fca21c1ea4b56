"""Knows the commands that take history elsewhere and execute it again: `sanwei export`, `sanwei replay`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from api.settings import Settings, read_settings
from engine import commands
from engine.calendar import SHANGHAI
from engine.model import SYSTEM
from engine.store import Chosen, Keys, Store

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def keys_of(settings: Settings) -> Keys:
    """The store's keys, from where the settings say."""
    keys = settings.keys()
    return Keys(chain=keys.chain, sealing=keys.sealing, chain_id=keys.chain_id)


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
    store = Store.open(settings.database_url, keys_of(settings))
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
