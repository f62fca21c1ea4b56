"""Knows the `sanwei` commands about evidence: checkpoint, verify, and the keys' own."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from api.keyring import Kind, add_key, coming_key, promoted, use_key
from api.settings import Settings, read_settings
from engine import commands
from engine.commands import keys as verbs
from engine.connectors import Folder
from engine.model import SYSTEM
from engine.store import Keys, Store, checkpoints
from engine.store.rewrapping import wrapped_keys
from engine.store.vault import fingerprint
from engine.store.verify import expected_events
from engine.store.verify import verify as verify_store
from engine.store.verify_checkpoints import Copy
from engine.worker import copy_checkpoints

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())

keys = typer.Typer(no_args_is_help=True, help="The keys the database never holds: list them, put new ones in use.")


def install(app: typer.Typer) -> None:
    """Add these commands to the program's."""
    app.command()(verify)
    app.command()(checkpoint)
    app.add_typer(keys, name="keys")


def _open(settings: Settings, with_keys: Keys | None = None) -> Store:
    return Store.open(settings.database_url, with_keys or settings.keys())


Copies = Annotated[
    Path | None,
    typer.Option("--checkpoints", help="The folder of the checkpoints' copies (SANWEI_CHECKPOINTS if it is set)."),
]


def verify(
    copies: Copies = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Check all evidence: chains, values, rows, files, checkpoints. Exit 1 where something is not as history says.

    With the checkpoints' copies a database that was set back as a whole is found too.
    """
    settings = read_settings()
    store = _open(settings)
    folder = copies or settings.checkpoints_path
    outside = None if folder is None else (Copy(name=n, content=c) for n, c in Folder(folder).copies())
    with Progress(*COLUMNS, console=err, disable=as_json) as bar:
        row = bar.add_task("events", total=expected_events(store))
        found = verify_store(store, lambda number: bar.update(row, completed=number), outside=outside)
    store.close()
    if as_json:
        out.print_json(json.dumps(asdict(found), ensure_ascii=False))
    else:
        for fault in found.faults:
            where = " ".join(part for part in (fault.stream, str(fault.number or ""), fault.row) if part)
            err.print(f"[red]{escape(where)}: {escape(fault.what)}[/red]")
        out.print(f"{found.streams} streams, {found.events} events, {len(found.faults)} faults")
    raise typer.Exit(1 if found.faults else 0)


def checkpoint(copies: Copies = None) -> None:
    """Sign where all streams stand that changed since the last checkpoint, and copy it outside. The worker does so
    every hour (SANWEI_CHECKPOINT_MINUTES). Exit 1 where a copy could not be made.
    """
    settings = read_settings()
    store = _open(settings)
    made = checkpoints.make(store)
    out.print(
        f"Checkpoint {', '.join(map(str, made))} made" if made else "Nothing has changed since the last checkpoint"
    )
    folder = copies or settings.checkpoints()
    copied = copy_checkpoints(commands.Office(store), Folder(folder)) if folder else 0
    with store.reading() as reading:
        left = len(list(checkpoints.to_copy(reading, 1000)))
    store.close()
    if folder is None:
        err.print("[yellow]SANWEI_CHECKPOINTS names no folder: nothing lies outside the database.[/yellow]")
    out.print(f"{copied} copied{f' to {folder}' if folder else ''}, {left} not copied")
    raise typer.Exit(1 if left and folder else 0)


@keys.command("list")
def list_keys() -> None:
    """Which keys there are and which are in use, with the public key that checks a chain key's checkpoints."""
    ring = read_settings().keys()
    table = Table("kind", "id", "in use", "fingerprint", "public key of its checkpoints")
    for name, key in ring.chain_keys().items():
        used = "yes" if name == ring.chain_id else ""
        table.add_row("chain", name, used, fingerprint(key)[:16], checkpoints.public_key(key))
    for name, key in ring.sealing_keys().items():
        table.add_row("sealing", name, "yes" if name == ring.sealing_id else "", fingerprint(key)[:16], "")
    out.print(table)


@keys.command()
def rotate(
    chain: Annotated[bool, typer.Option("--chain", help="The key that signs history.")] = False,
    sealing: Annotated[bool, typer.Option("--sealing", help="The key that wraps the data keys.")] = False,
    finish: Annotated[bool, typer.Option("--finish", help="Every server knows the new key: put it in use.")] = False,
    at_once: Annotated[bool, typer.Option("--at-once", help="Both steps: there is one server, and it stands.")] = False,
) -> None:
    """Bring in a new key, in two steps, so that no server ever meets a key it does not know.

    1. `sanwei keys rotate --chain`: adds a key to the keys file and tells history of it, signed with the key in use.
    Copy the file to every server and start the servers again, one after the other: all know both keys, none uses the
    new one.

    2. `sanwei keys rotate --chain --finish`: puts it in use. Copy the file and start the servers again as before. The
    old key may sign for 24 hours more; what it signs later, `sanwei verify` names. Old keys stay in the file: without
    them nothing old can be read or checked.

    The same for `--sealing`; its second step wraps every data key anew, beside the work that goes on.
    """
    if chain == sealing:
        err.print("[red]Say --chain or --sealing, one of them.[/red]")
        raise typer.Exit(2)
    kind: Kind = "chain" if chain else "sealing"
    settings = read_settings()
    settings.keys()
    name = _begin(settings, kind) if not finish else coming_key(settings.keys_path, kind)
    if name is None:
        err.print("[red]No key is waiting to be put in use: begin without --finish.[/red]")
        raise typer.Exit(1)
    if finish or at_once:
        _finish(settings, kind, name)


def _begin(settings: Settings, kind: Kind) -> str:
    name = add_key(settings.keys_path, kind)
    if kind == "chain":
        store = _open(settings)
        verbs.introduce_chain_key(commands.Office(store), SYSTEM, name)
        store.close()
    out.print(f"Key {name} is in {escape(str(settings.keys_path))}, not in use yet")
    return name


def _finish(settings: Settings, kind: Kind, name: str) -> None:
    store = _open(settings, promoted(settings.keys(), kind, name))
    office = commands.Office(store)
    if kind == "chain":
        verbs.use_chain_key(office, SYSTEM, name)
        use_key(settings.keys_path, kind, name)
    else:
        # The file first: what is wrapped anew must be readable by whoever reads the file.
        use_key(settings.keys_path, kind, name)
        with Progress(*COLUMNS, console=err) as bar:
            row = bar.add_task("data keys", total=wrapped_keys(store))
            verbs.use_sealing_key(office, SYSTEM, on_progress=lambda number: bar.update(row, completed=number))
    store.close()
    out.print(f"Key {name} is in use")
