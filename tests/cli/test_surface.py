"""The whole surface: help that costs nothing, wrong inputs with clear answers, and a newcomer's way to "No changes"."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from reconciler.cli.main import COMMANDS, cli
from tests.cli.bench import Bench

HEAVY = ("httpx", "httpcore", "jsonschema", "deepdiff", "rich", "jinja2", "yaml", "rapidfuzz")
ENVIRONMENT_FREE = {"show", "demo", "simulate", "init", "history", "statement", "report", "undo", "ci", "backtest"}


PARENT = click.Context(cli, **cli.context_settings)
"""click keeps a command's help option as the first context that asks for it has it: -h is the group's."""


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_has_examples(name: str) -> None:
    text = command(name).get_help(click.Context(command(name), info_name=name, parent=PARENT))
    assert "Examples:" in text or name == "ci"
    assert f"reconciler {name}" in text or name in {"completion", "ci"}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ENVIRONMENT_FREE])
def test_help_names_the_variables_it_reads(name: str) -> None:
    text = command(name).get_help(click.Context(command(name), info_name=name, parent=PARENT))
    assert "Environment:" in text or "RECONCILER_" in text


def test_the_programs_help_imports_nothing_heavy() -> None:
    """A command's own help may import that command's module."""
    code = (
        "import sys\n"
        "from reconciler.cli.main import main\n"
        "assert main(['--help']) == 0\n"
        f"print('heavy:', [m for m in {HEAVY!r} if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1], done.stderr) == (0, "heavy: []", "")


USAGE = 64
ERROR = 1

WRONG: list[tuple[list[str], int, str]] = [
    # the line itself
    (["aply"], USAGE, "Did you mean 'apply'?"),
    (["stauts"], USAGE, "Did you mean 'status'?"),
    (["nonsense"], USAGE, "No such command 'nonsense'"),
    (["plan", "--onyl", "infima-101"], USAGE, "--only"),
    (["plan", "-o", "yml"], USAGE, "'yml' is not one of"),
    (["plan", "extra"], USAGE, "unexpected extra argument"),
    (["--color", "pink", "plan"], USAGE, "'pink' is not one of"),
    (["--mappings"], USAGE, "requires an argument"),
    (["plan", "--out"], USAGE, "requires an argument"),
    (["completion", "tcsh"], USAGE, "'tcsh' is not one of"),
    (["completion"], USAGE, "Choose from:\n\tbash"),
    (["customers"], USAGE, "Missing argument 'SEARCH...'"),
    (["customers", " "], USAGE, "something to search for"),
    (["adopt"], USAGE, "Missing argument 'KEY'"),
    (["adopt", "infima-101"], USAGE, "Missing argument 'SUBSCRIPTION_ID'"),
    (["adopt", "infima-101", "nine"], USAGE, "'nine' is not a valid integer"),
    (["adopt", "infima-101", "0"], USAGE, "0 is not in the range"),
    (["adopt", "infima-101", "99999999999"], USAGE, "is not in the range"),
    (["adopt", "infima-101", "9001"], USAGE, "needs a reason"),
    (["adopt", "infima-101", "9001", "--reason", "r"], USAGE, "Add --yes"),
    (["adopt", "infima-1", "9001", "--reason", "r", "--yes"], USAGE, "no mapping with that key"),
    (["resolve"], USAGE, "Missing argument 'KEY'"),
    (["resolve", "infima-101", "--reason", "r", "--yes"], USAGE, "exactly one of"),
    (["resolve", "infima-101", "--abandon", "--yes"], USAGE, "needs a reason"),
    (["resolve", "infima-101", "--adopt", "x", "--reason", "r"], USAGE, "'x' is not a valid integer"),
    (["resolve", "nobody", "--abandon", "--reason", "r", "--yes"], USAGE, "no mapping with that key"),
    (["map", "--customer", "11"], USAGE, "Name the INFIMA client"),
    (["map"], USAGE, "no terminal to ask on"),
    (["map", "101"], USAGE, "What is to become of"),
    (["map", "101", "--customer", "many"], USAGE, "'many' is not a valid integer"),
    (["map", "777", "--customer", "11"], USAGE, "INFIMA lists no client '777'"),
    (["map", "101", "--customer", "11"], USAGE, "in mappings.yaml already"),
    (["map", "-o", "yaml"], USAGE, "works only together with --suggest"),
    (["explain", "zeroo"], USAGE, "Did you mean zero?"),
    (["explain", "infima-10l"], USAGE, "Did you mean infima-10"),
    (["status", "--only", "infima-9"], USAGE, "no mapping with that key"),
    (["check-invoices", "--only", "x"], USAGE, "no mapping with that key"),
    (["plan", "--only", "infima-1O1"], USAGE, "Did you mean infima-101?"),
    (["plan", "--exclude", "x"], USAGE, "no mapping with that key"),
    (["plan", "--allow", "zero"], USAGE, "needs a reason"),
    (["plan", "--reason", "r"], USAGE, "there is no --allow"),
    (["plan", "--allow", "zeroo", "--reason", "r"], USAGE, "Did you mean zero?"),
    (["plan", "--allow", "moved", "--reason", "r"], USAGE, "cannot be lifted"),
    (["plan", "--allow", "many-creates:infima-101", "--reason", "r"], USAGE, "takes no mapping"),
    (["plan", "--allow", "zero:nobody", "--reason", "r"], USAGE, "no mapping with that key"),
    (["apply"], USAGE, "--auto-approve"),
    (["--state", "ftp:x", "plan"], USAGE, "neither directory:PATH nor git:BRANCH"),
    # files
    (["--mappings", "nowhere.yaml", "plan"], ERROR, "nowhere.yaml"),
    (["--mappings", ".", "validate"], USAGE, "is a directory"),
    (["--mappings", "bad.yaml", "plan"], ERROR, "bad.yaml:3:5"),
    (["--mappings", "bad.yaml", "map", "--suggest"], ERROR, "bad.yaml:3:5"),
    (["--mappings", "bad.yaml", "fmt"], ERROR, "bad.yaml:3:5"),
    (["--mappings", "bad.yaml", "status"], ERROR, "bad.yaml:3:5"),
    (["--mappings", "bad.yaml", "explain", "acme"], ERROR, "bad.yaml:3:5"),
    (["--mappings", "bad.yaml", "adopt", "x", "1", "--reason", "r", "--yes"], ERROR, "bad.yaml:3:5"),
    (["--mappings", "latin.yaml", "validate"], ERROR, "latin.yaml:2:6: byte 0xe9 is not UTF-8"),
    (["show", "nowhere.json"], ERROR, "is not a file"),
    (["show", "bad.yaml"], ERROR, "it is not JSON"),
    (["apply", "bad.yaml", "--auto-approve"], ERROR, "it is not JSON"),
    (["init", "bad.yaml"], USAGE, "is a file"),
    # what is there contradicts
    (["adopt", "infima-104", "9001", "--reason", "r", "--yes"], ERROR, "belongs to customer 11"),
    (["adopt", "infima-104", "4", "--reason", "r", "--yes"], ERROR, "does not know Subscription 4"),
    (["resolve", "infima-101", "--abandon", "--reason", "r", "--yes"], ERROR, "no create whose outcome is unknown"),
    (["resolve", "infima-101", "--recreate", "--reason", "r", "--yes"], ERROR, "twice"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "said"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_wrong_input_gets_a_clear_answer(bench: Bench, arguments: list[str], code: int, said: str) -> None:
    (bench.folder / "bad.yaml").write_text("version: 1\nmappings:\n  - client: 1\n", encoding="utf-8")
    (bench.folder / "latin.yaml").write_bytes(b"version: 1\n# caf\xe9\nmappings: []\n")
    answer = bench.run(*arguments)
    assert answer.code == code, answer.text
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert bench.writes() == 0


def test_there_are_sixty_wrong_inputs() -> None:
    assert len({" ".join(arguments) for arguments, _, _ in WRONG}) >= 60


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "-o", "json"],
        ["clients", "-o", "json"],
        ["customers", "x", "-o", "json"],
        ["check-invoices", "-o", "json"],
        ["explain", "infima-101", "-o", "json"],
        ["plan", "-o", "json"],
    ],
)
def test_json_is_valid_on_failure_too(bench: Bench, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setenv("HALO_CLIENT_SECRET", "wrong")
    monkeypatch.setenv("INFIMA_API_KEY", "wrong")
    answer = bench.run(*arguments)
    assert answer.code == 1
    assert json.loads(answer.out)["errored"] is True


@pytest.mark.parametrize("name", ["HALO_URL", "HALO_CLIENT_ID", "HALO_CLIENT_SECRET", "INFIMA_API_KEY"])
def test_a_missing_variable_is_named_with_where_to_find_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    for arguments in (["plan"], ["status"], ["map", "--suggest"], ["customers", "x"]):
        answer = bench.run(*arguments)
        assert (answer.code, name in answer.err, "doctor" in answer.err) == (USAGE, True, True)


def test_a_newcomer_gets_to_no_changes(bench: Bench) -> None:
    """init -> doctor -> map -> plan -> apply -> plan, with nothing but these commands and their own hints."""
    bench.file.unlink()
    bench.world.person_renames_customer(15, "Eastgate Homes Ltd")
    assert bench.run("init").code == 0
    assert bench.run("doctor").out.endswith("Connected.\n")
    typed = ["n"] + ["a", "y"] * 3 + ["a", "y", "a"] + ["eastgate", "a", "y"] + ["ignore because a trial", "y"]
    mapped = bench.run("map", typed="\n".join(typed) + "\n")
    assert "Every INFIMA client is mapped or ignored." in mapped.err
    assert bench.run("fmt", "--check").code == 0
    planned = bench.run("plan")
    assert "Plan: 1 to create, 0 to update, 0 held, 4 unchanged." in planned.out
    assert bench.run("apply", typed="yes\n").code == 0
    again = bench.run("plan", "--detailed-exitcode")
    assert (again.code, "No changes." in again.out) == (0, True)
    assert "not attached" in bench.run("check-invoices").out
