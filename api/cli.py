"""Knows every `sanwei` command: what it takes, what it prints, how it exits (0 done, 1 refused or found, 2 misused)."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from api import evidence, keeping, server
from api.accounts import DEMO_PASSWORD, demo_accounts
from api.demo import District, Refused, Summary, drive
from api.folders import home, with_drafts
from api.settings import Settings, read_settings
from engine import commands
from engine.bpmn import gate
from engine.errors import Finding, Invalid, SanweiError
from engine.model import SYSTEM, Membership
from engine.registers import read_registers
from engine.store import Store

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would show case data.
    pretty_exceptions_enable=False,
    help="Sanwei 三位: a district government's processes, drawn as BPMN, executed, and provable afterwards.",
)
keeping.install(app)
MOST_NAMED = 20
ADMINISTRATOR = Membership(role="security_admin", scope="liwan", unit="", post="安全管理员")
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def main() -> None:
    """The entry point: errors become a sentence and an exit code, never a traceback with data."""
    try:
        app()
    except Invalid as error:
        _print_findings(error.findings)
        sys.exit(1)
    except (SanweiError, Refused, httpx.TransportError) as error:
        err.print(f"[red]{escape(str(error) or type(error).__name__)}[/red]")
        sys.exit(1)


def _open(settings: Settings) -> Store:
    """The database the settings name, with its folder where it is a file."""
    path = settings.database_url.removeprefix("sqlite:///")
    if path != settings.database_url:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Store.open(settings.database_url, settings.keys())


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (SANWEI_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (SANWEI_PORT).")] = None,
    any_port: Annotated[bool, typer.Option("--any-port", help="Take a free port where that one is taken.")] = False,
    with_worker: Annotated[bool, typer.Option("--worker", help="Run the worker beside, in a thread.")] = False,
) -> None:
    """Run one web server process. Start as many as needed; they share nothing but the database."""
    told = read_settings()
    settings = replace(told, host=host or told.host, port=told.port if port is None else port)
    _refuse_unready(settings)
    try:
        server.serve(settings, with_worker=with_worker, any_port=any_port, announce=_announce)
    except OSError as error:
        err.print(f"[red]{settings.host}:{settings.port}: {escape(error.strerror or 'cannot listen')}[/red]")
        raise typer.Exit(1) from error


def _announce(address: str) -> None:
    out.print(f"Sanwei 三位  [bold]{address}[/bold]  (Ctrl+C stops it)")


def _refuse_unready(settings: Settings) -> None:
    store = _open(settings)
    ready = store.ready()
    store.close()
    if not ready:
        err.print("[red]The database lacks this version's tables: run `sanwei migrate` first.[/red]")
        raise typer.Exit(1)


@app.command()
def worker() -> None:
    """Run one worker process: due timers, papers, outgoing messages. Start as many as needed."""
    settings = read_settings()
    _refuse_unready(settings)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    store = _open(settings)
    out.print("Worker started (Ctrl+C stops it)")
    kept = timedelta(days=settings.messages_kept_days)
    office = commands.Office(store, state_format=settings.state_format, messages_kept=kept)
    server.make_worker(settings, office).run(stop)
    store.close()


@app.command()
def migrate() -> None:
    """Bring the database to this version's tables."""
    store = _open(read_settings())
    store.migrate()
    store.close()
    out.print("Database is up to date")


@app.command()
def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files or folders; everything if none is given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Pass diagrams, forms, papers and tables through the gate. Exit 1 where an error is found."""
    root = home(Path.cwd())
    try:
        library, asked = with_drafts(commands.read_library(root), root, paths or [root])
    except FileNotFoundError as error:
        err.print(f"[red]{escape(str(error.filename))}: no such file[/red]")
        raise typer.Exit(2) from error
    findings = [f for f in gate.check(library) if any(_lies_in(f, name) for name in asked)]
    errors = sum(f.severity == "error" for f in findings)
    if as_json:
        out.print_json(json.dumps([asdict(f) for f in findings], ensure_ascii=False))
    else:
        _print_findings(findings)
        out.print(f"{len(library.files)} files, {errors} errors, {len(findings) - errors} warnings")
    raise typer.Exit(1 if errors else 0)


def _lies_in(finding: Finding, name: str) -> bool:
    file = finding.where.partition("#")[0].partition(":")[0]
    return not name or file == name or file.startswith(name + "/")


def _print_findings(findings: Iterable[Finding]) -> None:
    """A table of all findings on standard error; file and element are never cut."""
    table = Table(
        Column("文件 file", overflow="fold"),
        Column("元素 element", overflow="fold"),
        Column("问题 finding", overflow="fold", ratio=3),
        Column("改法 mend", overflow="fold", ratio=2),
        show_lines=True,
        expand=True,
    )
    for one in findings:
        file, _, element = one.where.partition("#")
        colour = "red" if one.severity == "error" else "yellow"
        what = f"[{colour}]{one.severity}[/{colour}] {escape(one.rule)}\n{escape(one.zh)}\n{escape(one.en)}"
        table.add_row(
            escape(file), f"[bold]{escape(element)}[/bold]", what, f"{escape(one.mend_zh)}\n{escape(one.mend_en)}"
        )
    if table.row_count:
        err.print(table)


@app.command()
def publish() -> None:
    """Check everything and publish what changed; running cases keep what they started with."""
    store = _open(read_settings())
    with err.status("Publishing"):
        publication = commands.publish(commands.Office(store), SYSTEM, commands.read_library(home(Path.cwd())))
    store.close()
    if len(publication.changed) <= MOST_NAMED:
        for name in publication.changed:
            out.print(f"  {escape(name)}")
    changed = len(publication.changed)
    out.print(f"Publication {publication.number}: {f'{changed} changed' if changed else 'nothing changed'}")


@app.command()
def registers() -> None:
    """List the tables with their counts of rows."""
    table = Table("register", "rows", "sha256")
    for name, one in sorted(read_registers(commands.read_library(home(Path.cwd()))).tables.items()):
        table.add_row(name, str(len(one.rows)), one.digest[:16])
    out.print(table)


@app.command()
def accounts(
    admin: Annotated[str | None, typer.Option(help="Make one security administrator of this name instead.")] = None,
) -> None:
    """Make the demonstration's accounts, one for each post, where there is no account yet."""
    settings = read_settings()
    store = _open(settings)
    office = commands.Office(store)
    if admin:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        commands.create_account(
            office, SYSTEM, name=admin, display_name=admin, password=password, memberships=(ADMINISTRATOR,)
        )
        out.print(f"Account {escape(admin)} made")
    else:
        _refuse_production(settings)
        _print_accounts(_make_demo_accounts(office))
    store.close()


def _refuse_production(settings: Settings) -> None:
    if not settings.keys_may_be_made:
        err.print("[red]SANWEI_KEYS names keys of your own, so this is no demonstration: no demo accounts.[/red]")
        raise typer.Exit(1)


def _make_demo_accounts(office: commands.Office) -> bool:
    """Make them all unless there are accounts; True where they were made now."""
    if commands.accounts(office, replace(SYSTEM, memberships=(ADMINISTRATOR,))):
        return False
    for account in demo_accounts():
        commands.create_account(
            office,
            SYSTEM,
            name=account.name,
            display_name=account.display_name,
            password=DEMO_PASSWORD,
            memberships=account.memberships,
        )
    return True


def _print_accounts(made: bool) -> None:
    if not made:
        out.print("There are accounts already")
        return
    table = Table(
        "account",
        "岗位",
        "role",
        Column("scope", overflow="fold"),
        title=f"Demo accounts, all with the password {DEMO_PASSWORD}",
    )
    for account in demo_accounts():
        for post in account.memberships:
            table.add_row(account.name, account.display_name, post.role, post.scope)
    out.print(table)


@app.command()
def demo(
    cases: Annotated[int, typer.Option(min=1, help="How many cases, all items in turn.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed takes the same ways.")] = 1,
    url: Annotated[str | None, typer.Option(help="A running simulation; without it a server of its own.")] = None,
) -> None:
    """Drive real cases over HTTP as each post would. Exit 1 where a case is not at an end event."""
    if url is not None:
        summary = _driven(url, cases, seed)
    else:
        with TemporaryDirectory(prefix="sanwei-demo-") as folder, server.running(prepare(Path(folder))) as address:
            summary = _driven(address, cases, seed)
    _print_summary(summary)
    raise typer.Exit(1 if summary.unfinished or sum(summary.outcomes.values()) < cases else 0)


def prepare(folder: Path) -> Settings:
    """Settings of a fresh simulation in ``folder``: tables made, folders published, demo accounts."""
    settings = Settings(
        database_url=f"sqlite:///{folder / 'demo.db'}", keys_path=folder / "keys.json", port=0, simulation=True
    )
    with err.status("Preparing a fresh district"):
        store = _open(settings)
        store.migrate()
        office = commands.Office(store)
        commands.publish(office, SYSTEM, commands.read_library(home(Path.cwd())))
        _make_demo_accounts(office)
        store.close()
    return settings


def _driven(url: str, cases: int, seed: int) -> Summary:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client, Progress(*columns, console=err) as bar:
        row = bar.add_task("cases", total=cases)
        district = District(client, demo_accounts(), DEMO_PASSWORD)
        return drive(district, cases=cases, seed=seed, on_case=lambda: bar.advance(row))


def _print_summary(summary: Summary) -> None:
    table = Table("item", "outcome", "cases")
    for (item, outcome), number in sorted(summary.outcomes.items()):
        table.add_row(item, outcome, str(number))
    out.print(table)
    refused = ", ".join(f"{number} {code}" for code, number in summary.refusals.most_common()) or "none"
    out.print(f"tasks completed   {summary.tasks}")
    out.print(f"refusals met      {refused}")
    out.print(f"simulated         {summary.simulated.total_seconds() / 86_400:.1f} days")
    out.print(f"wall clock        {summary.wall_seconds:.1f} s")
    for case, why in summary.unfinished:
        err.print(f"[red]not at an end: {escape(case)}: {escape(why)}[/red]")


app.command()(evidence.export)
app.command()(evidence.replay)


if __name__ == "__main__":
    main()
