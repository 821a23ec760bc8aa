"""The command group: help, version, typos, exit codes of usage errors, validate, simulate."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import jsonschema
import pytest

from reconciler import __version__
from reconciler.cli.main import COMMANDS
from reconciler.config.checking import schema_text
from tests.cli.bench import Bench


def test_help_lists_every_command(bench: Bench) -> None:
    answer = bench.run("--help")
    assert answer.code == 0
    assert all(name in answer.out for name in COMMANDS)


@pytest.mark.parametrize("words", [[], ["ci"]])
def test_a_command_that_is_left_out_gets_the_help(bench: Bench, words: list[str]) -> None:
    answer = bench.run(*words)
    assert (answer.code, answer.err) == (64, "")
    assert answer.out == bench.run(*words, "--help").out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_with_an_example(bench: Bench, command: str) -> None:
    answer = bench.run(command, "--help")
    assert answer.code == 0
    assert f"reconciler {command}" in answer.out or f" {command}" in answer.out
    assert "Example" in answer.out


def test_the_version_is_that_of_the_package(bench: Bench) -> None:
    assert bench.run("--version").out.strip() == f"reconciler {__version__}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("aply",), "Did you mean"),
        (("plan", "--detailed-exit-code"), "--detailed-exitcode"),
        (("plan", "-o", "yaml"), "'yaml' is not one of"),
        (("plan", "surplus"), "unexpected extra argument"),
        (("--mappings",), "requires an argument"),
        ((), "Usage"),
    ],
)
def test_usage_errors_exit_with_64(bench: Bench, arguments: tuple[str, ...], words: str) -> None:
    answer = bench.run(*arguments)
    assert answer.code == 64
    assert words in answer.text


def test_common_options_may_stand_after_the_command(bench: Bench) -> None:
    bench.file.rename(bench.folder / "other.yaml")
    assert bench.run("validate", "--mappings", "other.yaml").code == 0
    assert bench.run("--mappings", "other.yaml", "validate").code == 0
    assert bench.run("validate").code == 1


def test_validate_says_how_many_mappings_there_are(bench: Bench) -> None:
    answer = bench.run("validate")
    assert (answer.code, answer.out) == (0, "mappings.yaml is valid: 6 mappings, 0 ignored clients.\n")
    assert bench.world.requests == []


def test_validate_draws_every_problem_with_line_and_caret(bench: Bench) -> None:
    bench.file.write_text("version: 1\nmappings:\n  - infima_client: {id: 0123, name: x}\n    halo_customer: {id: 1}\n")
    answer = bench.run("validate")
    assert answer.code == 1
    assert "mappings.yaml:3:25: error:" in answer.err
    assert "mappings.yaml:4:" in answer.err
    assert "^" in answer.err


def test_validate_gives_the_same_as_json_and_as_annotations(bench: Bench) -> None:
    bench.file.write_text("version: 1\nmappings:\n  - infima_client: {id: 0123, name: x}\n    halo_customer: {id: 1}\n")
    document = json.loads(bench.run("validate", "-o", "json").out)
    lines = bench.run("validate", "-o", "github").out.splitlines()
    assert document["valid"] is False
    assert [d["line"] for d in document["diagnostics"]] == [3, 4]
    assert lines[0].startswith("::error file=mappings.yaml,line=3,col=25")


@pytest.mark.parametrize(
    ("content", "place", "what"),
    [
        (b"version: 1\nname: \xff\n", (2, 7), "byte 0xff is not UTF-8"),
        (b"#" * 5_000_001, (1, 1), "the file is over 5 MB"),
    ],
)
def test_what_is_no_text_is_told_with_its_place(
    bench: Bench, content: bytes, place: tuple[int, int], what: str
) -> None:
    bench.file.write_bytes(content)
    answer = bench.run("validate", "-o", "github")
    line, column = place
    assert f"Error: mappings.yaml:{line}:{column}: {what}" in answer.err
    assert answer.out.startswith(f"::error file=mappings.yaml,line={line},col={column}")


def test_a_missing_file_names_the_next_step(bench: Bench) -> None:
    bench.file.unlink()
    answer = bench.run("validate")
    assert answer.code == 1
    assert "reconciler init" in answer.err


@pytest.mark.parametrize("content", [b"", b"{}", b"\x80\x81", b'{"format_version": "9.0"}', b"[1, 2"])
def test_show_refuses_what_is_no_plan(bench: Bench, content: bytes) -> None:
    (bench.folder / "x.json").write_bytes(content)
    answer = bench.run("show", "x.json")
    assert answer.code == 1
    assert "reconciler plan --out" in answer.err


def test_show_refuses_a_file_that_is_not_there(bench: Bench) -> None:
    assert "not a file" in bench.run("show", "nowhere.json").err


def test_a_console_that_knows_no_unicode_gets_every_line(bench: Bench, tmp_path: Path) -> None:
    bench.world.person_renames_customer(15, "Čeština 株式会社 \x1b[31m")
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "plan"], capture_output=True, check=False, cwd=bench.folder,
        env={**__import__("os").environ, "PYTHONIOENCODING": "cp1252"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"\x1b" not in done.stdout
    assert b"Plan:" in done.stdout


def test_simulate_serves_both_systems_and_ends_by_itself(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "simulate", "--for", "8", "--clients", "5", "--env-file", "sim.env"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = [process.stdout.readline().strip() for _ in range(5)]
    variables = dict(line.split("=", 1) for line in lines)
    key = {"X-API-Key": variables["INFIMA_API_KEY"]}
    assert httpx.get(variables["INFIMA_URL"] + "/v1/clients", headers=key).json()["total"] == 5
    process.terminate()
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    assert (tmp_path / "sim.env").read_text().splitlines() == lines


def test_simulate_refuses_two_worlds_and_broken_ones(bench: Bench) -> None:
    (bench.folder / "w.json").write_text("[]")
    assert bench.run("simulate", "--world", "w.json", "--clients", "3").code == 64
    assert "is not a world" in bench.run("simulate", "--world", "w.json").err
    assert "cannot be read" in bench.run("simulate", "--world", "nowhere.json").err


def test_json_on_a_usage_error_is_a_valid_document(bench: Bench) -> None:
    answer = bench.run("plan", "-o", "json", "--bogus")
    document = json.loads(answer.out)
    assert answer.code == 64
    jsonschema.validate(document, json.loads(schema_text("plan.schema.json")))
    assert document["error"]["code"] == "usage"


def test_more_problems_than_are_listed_are_counted(bench: Bench) -> None:
    bench.file.write_text("version: 1\nmappings:\n" + "  - nonsense: 1\n" * 300)
    assert "of which the first 200 are listed" in bench.run("validate").err
