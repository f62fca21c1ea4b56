"""What the READMEs tell a newcomer to type exists, in both languages alike."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

from api.accounts import DEMO_PASSWORD, demo_accounts
from api.cli import app
from api.settings import read_settings
from engine.forms import formats

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.zh-CN.md")
FITTING = {"SANWEI_LANGUAGE": "zh", "SANWEI_COOKIE_SECURE": "1", "SANWEI_SIMULATION": "0", "SANWEI_STATE_FORMAT": "1"}
# Programs of the operator's own that the READMEs name besides ours.
OTHERS = frozenset({"export", "pg_dump", "sqlite3"})


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(name: str) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", text(name), re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("command", commands("README.md"))
def test_each_command_of_the_readme_exists_with_its_options(command: str) -> None:
    program, *arguments = shlex.split(command)
    if program == "make":
        targets = re.search(r"^\.PHONY: (.*)$", text("Makefile"), re.MULTILINE)
        assert targets is not None
        assert set(arguments) <= set(targets[1].split())
    elif program == ".venv/bin/sanwei":
        group = typer.main.get_command(app)
        assert isinstance(group, click.Group | typer.core.TyperGroup)
        found = group.commands[arguments[0]]
        found.make_context(arguments[0], arguments[1:])
    else:
        assert program in OTHERS


def test_both_readmes_give_the_same_commands() -> None:
    assert commands("README.md") == commands("README.zh-CN.md")
    assert "make run" in commands("README.md")


@pytest.mark.parametrize("name", READMES)
def test_paths_named_in_a_readme_exist(name: str) -> None:
    for path in re.findall(r"`((?:processes|forms|engine|api)/[\w/.]*)`", text(name)):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("name", READMES)
def test_the_readme_lists_every_demo_account_and_the_password(name: str) -> None:
    page = text(name)
    assert DEMO_PASSWORD in page
    assert {f"`{account.name}`" for account in demo_accounts()} <= set(re.findall(r"`[a-z]+\d`", page))


@pytest.mark.parametrize("name", READMES)
def test_settings_named_in_a_readme_are_settings(name: str) -> None:
    named = set(re.findall(r"SANWEI_[A-Z_]+", text(name)))
    assert len(named) > 5
    read_settings({name: FITTING.get(name, "8000") for name in named})


@pytest.mark.parametrize("name", READMES)
def test_the_identity_number_a_newcomer_types_is_accepted_and_nobodys(name: str) -> None:
    (number,) = set(re.findall(r"`(\d{17}[\dX])`", text(name)))
    assert formats.id_number(number)
    assert number.startswith("999999")
