"""`plan`: exit codes, formats, streams, saved plans, snapshots, the edit under review."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess

import jsonschema
import pytest

from reconciler.config.checking import schema_text
from tests.cli.bench import Bench


def git(bench: Bench, *words: str) -> None:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", *who, *words], cwd=bench.folder, check=True, capture_output=True, env=environment)


def test_it_shows_what_would_change_and_writes_nothing(bench: Bench) -> None:
    answer = bench.run("plan")
    assert answer.code == 0
    assert "Plan: 2 to create, 0 to update, 1 held, 3 unchanged." in answer.out
    assert "same-name" in answer.out
    assert bench.writes() == 0
    assert bench.records() == ["state.json"]


def test_progress_goes_to_stderr_and_the_result_to_stdout(bench: Bench) -> None:
    answer = bench.run("plan")
    assert "Reading INFIMA clients" in answer.err
    assert "Reading INFIMA clients" not in answer.out


@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--detailed-exitcode",), 3)])
def test_a_hold_alone_is_an_exit_code_only_when_asked_for(bench: Bench, arguments: tuple[str, ...], code: int) -> None:
    assert bench.run("plan", *arguments).code == code


def test_changes_without_holds_exit_with_2_when_asked_for(bench: Bench) -> None:
    answer = bench.run("plan", "--detailed-exitcode", "--only", "infima-105")
    assert (answer.code, "1 to create" in answer.out) == (2, True)


def test_nothing_to_do_exits_with_0_even_when_details_are_asked_for(bench: Bench) -> None:
    answer = bench.run("plan", "--detailed-exitcode", "--only", "infima-101")
    assert (answer.code, "No changes among the 1 mapping" in answer.out) == (0, True), answer.out


def test_a_refused_run_exits_with_3(bench: Bench) -> None:
    for client in (101, 102, 103, 104):
        bench.world.person_removes_client(client)
    answer = bench.run("plan")
    assert answer.code == 3
    assert "source-empty" in answer.out


def test_the_json_plan_is_valid_by_its_schema_and_alone_on_stdout(bench: Bench) -> None:
    answer = bench.run("plan", "-o", "json")
    document = json.loads(answer.out)
    jsonschema.validate(document, json.loads(schema_text("plan.schema.json")))
    actions = {row["name"]: row["change"]["actions"] for row in document["resource_changes"]}
    assert actions["infima-105"] == ["create"]
    assert actions["infima-101"] == ["no-op"]


def test_terraform_is_one_line_alone_on_stdout_and_a_saved_plan_shows_the_same(bench: Bench) -> None:
    answer = bench.run("plan", "-o", "terraform", "--out", "tonight.json")
    assert answer.out.count("\n") == 1
    actions = {row["name"]: row["change"]["actions"] for row in json.loads(answer.out)["resource_changes"]}
    assert actions["infima-105"] == ["create"]
    assert bench.run("show", "tonight.json", "-o", "terraform").out == answer.out


def test_terraform_is_valid_also_on_failure(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFIMA_API_KEY", "another-key")
    answer = bench.run("plan", "-o", "terraform")
    document = json.loads(answer.out)
    assert (answer.code, document["errored"], "resource_changes" in document) == (1, True, False)
    assert "another-key" not in answer.text


@pytest.mark.parametrize("words", [("-o", "terraform"), ("-oterraform",), ("--output=terraform",)])
def test_a_usage_error_is_a_document_too(bench: Bench, words: tuple[str, ...]) -> None:
    answer = bench.run("plan", *words, "--bogus")
    assert (answer.code, json.loads(answer.out)["errored"]) == (64, True)


def test_exclude_leaves_the_violations_of_that_mapping_out(bench: Bench) -> None:
    held = json.loads(bench.run("plan", "-o", "json").out)
    assert {v["name"] for v in held["violations"]} == {"infima-104"}
    assert held["complete"] is False
    rest = json.loads(bench.run("plan", "-o", "json", "--exclude", "infima-104").out)
    assert (rest["violations"], rest["complete"], rest["selected"]) == ([], False, True)


def test_json_is_valid_also_on_failure(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFIMA_API_KEY", "another-key")
    answer = bench.run("plan", "-o", "json")
    document = json.loads(answer.out)
    assert answer.code == 1
    assert document["errored"] is True
    assert document["error"]["code"] == "not-authorised"
    assert "another-key" not in answer.text


def test_an_invalid_file_is_told_line_by_line(bench: Bench) -> None:
    bench.file.write_text("version: 1\nmappings:\n  - infima_clint: {id: 1, name: x}\n")
    answer = bench.run("plan")
    assert answer.code == 1
    assert "mappings.yaml:3:5: error:" in answer.err
    assert "infima_client" in answer.err
    assert bench.writes() == 0


def test_missing_variables_are_named_all_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HALO_URL")
    monkeypatch.delenv("INFIMA_API_KEY")
    answer = bench.run("plan")
    assert answer.code == 64
    assert "HALO_URL" in answer.err
    assert "INFIMA_API_KEY" in answer.err


def test_a_saved_plan_is_readable_by_its_owner_only_and_shown_as_it_was(bench: Bench) -> None:
    planned = bench.run("plan", "--out", "tonight.json")
    shown = bench.run("show", "tonight.json")
    assert stat.S_IMODE((bench.folder / "tonight.json").stat().st_mode) == 0o600
    assert (shown.code, shown.out) == (0, planned.out)


def test_a_snapshot_gives_the_same_plan_without_network_or_credentials(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = bench.run("plan", "-o", "json", "--save-snapshot", "night.json")
    seen = len(bench.world.requests)
    for name in ("HALO_URL", "HALO_CLIENT_ID", "HALO_CLIENT_SECRET", "INFIMA_API_KEY"):
        monkeypatch.delenv(name)
    offline = bench.run("plan", "-o", "json", "--snapshot", "night.json")
    assert offline.code == 0
    assert offline.out == live.out
    assert len(bench.world.requests) == seen


def test_a_snapshot_answers_for_clients_that_were_not_mapped_yet(bench: Bench) -> None:
    whole = bench.file.read_text()
    without = whole[: whole.index("  - infima_client: {id: 106")]
    bench.file.write_text(without)
    bench.run("plan", "--save-snapshot", "night.json")
    bench.file.write_text(whole)
    answer = bench.run("plan", "--snapshot", "night.json", "--only", "infima-106")
    assert re.search(r"infima-106  new +0 -> 15 ", answer.out)


def test_against_a_reference_the_edit_is_told_from_what_happens_anyway(bench: Bench) -> None:
    git(bench, "init", "-q")
    git(bench, "add", "mappings.yaml")
    git(bench, "commit", "-qm", "base")
    bench.world.users_join(102, 4)
    entry = '    halo_customer: {id: 11, name: "Acme Dental"}\n'
    bench.file.write_text(bench.file.read_text().replace(entry, entry + "    quantity: {minimum: 12}\n"))
    document = json.loads(bench.run("plan", "--against", "HEAD", "-o", "json").out)
    causes = {row["name"]: row.get("caused_by") for row in document["resource_changes"]}
    assert causes["infima-101"] == "mappings"
    assert causes["infima-102"] == "counts"
    assert causes["infima-103"] is None


def test_git_s_own_words_are_passed_on(bench: Bench) -> None:
    answer = bench.run("plan", "--against", "HEAD")
    assert "not a git repository" in answer.err
    assert "git init" in answer.err
    assert "fetch-depth" not in answer.err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root has files of others")
def test_a_folder_of_another_owner_is_no_matter_of_depth(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    git(bench, "init", "-q")
    git(bench, "add", "mappings.yaml")
    git(bench, "commit", "-qm", "base")
    for place in (bench.folder, bench.folder / ".git"):
        os.chown(place, 12345, 12345)
    answer = bench.run("plan", "--against", "HEAD")
    assert answer.code == 64
    assert "dubious ownership" in answer.err
    assert "git config --global --add safe.directory" in answer.err
    assert "fetch-depth" not in answer.err


@pytest.mark.parametrize("reference", ["no-such-branch", "--upload-pack=x"])
def test_an_unknown_reference_is_a_usage_error(bench: Bench, reference: str) -> None:
    git(bench, "init", "-q")
    answer = bench.run("plan", f"--against={reference}")
    assert answer.code == 64
    assert "reference" in answer.err or "no commit" in answer.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--allow", "zero:infima-101"), "needs a reason"),
        (("--reason", "because"), "there is no --allow"),
        (("--allow", "zer:infima-101", "--reason", "r"), "Did you mean zero?"),
        (("--allow", "zero:infima-999", "--reason", "r"), "no mapping with that key"),
        (("--allow", "moved:infima-101", "--reason", "r"), "cannot be lifted"),
        (("--allow", "source-empty:infima-101", "--reason", "r"), "takes no mapping"),
        (("--only", "infima-11"), "no mapping with that key"),
        (("--exclude", "nobody"), "no mapping with that key"),
        (("--snapshot", "a", "--save-snapshot", "b"), "contradict each other"),
    ],
)
def test_wrong_options_get_a_clear_answer(bench: Bench, arguments: tuple[str, ...], words: str) -> None:
    answer = bench.run("plan", *arguments)
    assert answer.code == 64
    assert words in answer.err
    assert "Reading" not in answer.err


def test_an_allowance_lifts_its_rule_and_stands_in_the_plan(bench: Bench) -> None:
    answer = bench.run("plan", "-o", "json", "--allow", "same-name:infima-104", "--reason", "it is another")
    document = json.loads(answer.out)
    row = next(r for r in document["resource_changes"] if r["name"] == "infima-104")
    assert row["hold"] is None
    assert document["allowances"] == [{"rule": "same-name", "key": "infima-104", "reason": "it is another"}]
    assert document["violations"][0]["allowed"] == "it is another"
