"""`reconciler ci`: what it writes where, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli.main import main
from reconciler.plan_document import dump_document
from reconciler.plan_document.layout import PlanJson
from tests.builders import build_plan
from tests.forge.fake_github import FakeGitHub, served_github
from tests.forge.receiver import received
from tests.render import stories


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No CI system around us."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "GITHUB_ACTIONS",
        "GITHUB_OUTPUT",
        "GITHUB_STEP_SUMMARY",
        "GITHUB_TOKEN",
        "DEAD_MANS_SWITCH_URL",
        "NOTIFY_URLS",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("HALO_URL", "HALO_CLIENT_ID", "HALO_CLIENT_SECRET", "INFIMA_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def result(document: PlanJson) -> str:
    Path("result.json").write_text(dump_document(document), encoding="utf-8")
    return "result.json"


@pytest.fixture
def night() -> str:
    return result(stories.applied(stories.night_plan(), exit_code=3))


def test_outputs_go_to_stdout_where_there_is_no_file_for_them(night: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ci", "outputs", "--result", night]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["verdict=held", "reason=held"]


def test_outputs_are_added_to_what_stands_there(night: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.write_text("earlier=1\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_OUTPUT", str(file))
    main(["ci", "outputs", "--result", night])
    text = file.read_text(encoding="utf-8")
    assert text.startswith("earlier=1\nverdict<<reconciler-")
    assert "Harbour" not in text


def test_two_runs_use_two_delimiters(night: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    main(["ci", "outputs", "--result", night])
    main(["ci", "outputs", "--result", night])
    marks = [line for line in (tmp_path / "output").read_text(encoding="utf-8").splitlines() if "<<" in line]
    assert len({line.partition("<<")[2] for line in marks}) == len(marks)


def test_the_summary_is_written_where_github_wants_it(
    night: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    assert main(["ci", "summary", "--result", night, "--as", "night"]) == 0
    assert (tmp_path / "summary").read_text(encoding="utf-8").startswith("## Last night's reconciliation\n")


@pytest.mark.parametrize("content", [None, "", "rubbish"])
def test_a_run_without_a_result_fails_the_job(content: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    if content is not None:
        Path("result.json").write_text(content, encoding="utf-8")
    assert main(["ci", "verdict", "--result", "result.json"]) == 1
    assert "ended without a result" in capsys.readouterr().err


def test_switched_off_issues_are_said_and_the_job_stays_green(
    night: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with served_github(FakeGitHub(has_issues=False)) as fake:
        fake.tokens["ghs_everything"] = {"issues": "write"}
        for name, value in (("API_URL", fake.url), ("REPOSITORY", "acme/billing"), ("TOKEN", "ghs_everything")):
            monkeypatch.setenv(f"GITHUB_{name}", value)
        assert main(["ci", "issue", "--result", night]) == 0
    said = capsys.readouterr().err
    assert "Issues are switched off in this repository" in said
    assert "6 need attention" in said


def test_a_held_change_does_not_fail_the_job(night: str) -> None:
    assert main(["ci", "verdict", "--result", night]) == 0


def test_a_refused_run_fails_the_job() -> None:
    assert main(["ci", "verdict", "--result", result(stories.applied(stories.refused_plan(), exit_code=3))]) == 1


def test_the_verdict_on_github_is_an_annotation_without_names(
    night: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    main(["ci", "verdict", "--result", night])
    assert capsys.readouterr().out == "::warning title=Run held::6 need attention: see the summary of this run.\n"


@pytest.mark.parametrize("where", [[], ["--pull-request", "1", "--commit", "0123abcd"], ["--commit", "../../user"]])
def test_a_comment_needs_one_good_place(night: str, where: list[str]) -> None:
    assert main(["ci", "comment", "--result", night, *where]) == 64


def test_a_comment_without_a_token_says_what_to_do(night: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ci", "comment", "--result", night, "--pull-request", "1"]) == 64
    assert "GITHUB_TOKEN" in capsys.readouterr().err


def test_without_a_switch_nobody_is_called(night: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ci", "ping", "--result", night]) == 0
    assert "nobody is told when a night is missing" in capsys.readouterr().err


def test_a_failed_night_lets_the_switch_raise_its_alarm(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEAD_MANS_SWITCH_URL", "http://127.0.0.1:1/never-called")
    assert main(["ci", "ping", "--result", "missing.json"]) == 0
    assert "is not called" in capsys.readouterr().err


def test_no_credentials_at_all_is_a_notice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("HALO_URL", "https://halo.example.com")
    assert main(["ci", "ready"]) == 0
    assert "\nfalse\n" in (tmp_path / "output").read_text(encoding="utf-8")


def test_some_credentials_are_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("INFIMA_API_KEY", "0123456789")
    assert main(["ci", "ready"]) == 64
    assert "HALO_CLIENT_SECRET" in capsys.readouterr().err


def test_gitlab_gets_its_report(night: str) -> None:
    assert main(["ci", "gitlab", "--result", night, "--out", "tfplan.json"]) == 0
    assert json.loads(Path("tfplan.json").read_text(encoding="utf-8")) == {"create": 1, "update": 2, "delete": 0}


def test_azure_gets_variables_an_issue_and_the_summary(night: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ci", "azure", "--result", night, "--as", "night", "--summary", "summary.md"]) == 0
    out = capsys.readouterr().out
    assert "variable=reconciler_attention;isOutput=true]6\n" in out
    assert f"##vso[task.uploadsummary]{Path('summary.md').absolute()}\n" in out
    assert "Harbour" not in out
    assert "Harbour" in Path("summary.md").read_text(encoding="utf-8")


def test_a_clean_run_is_clean_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    clean = result(stories.applied(build_plan(*stories.quiet_changes()), exit_code=0))
    assert main(["ci", "verdict", "--result", clean]) == 0
    main(["ci", "azure", "--result", clean])
    assert "logissue" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["ready", "head-check", "outputs", "summary", "comment", "issue", "ping", "verdict"])
def test_every_command_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ci", name, "--help"]) == 0
    assert f"reconciler ci {name}" in capsys.readouterr().out.partition("Example")[2]


def test_without_addresses_nobody_is_told_by_message(night: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ci", "notify", "--result", night]) == 0
    assert "NOTIFY_URLS is not set" in capsys.readouterr().err


def test_a_message_of_a_fleet_names_its_instance(night: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("apprise")
    with received() as receiver:
        monkeypatch.setenv("NOTIFY_URLS", f"json://{receiver.host}/hook")
        for mappings in ("mappings.yaml", "instances/north/mappings.yaml", "/elsewhere/mappings.yaml"):
            assert main(["--mappings", mappings, "ci", "notify", "--result", night]) == 0
        subjects = [json.loads(content)["title"].partition(":")[0] for _, content in receiver.requests]
    plain = "Nightly reconciliation"
    assert subjects == [plain, f"{plain} (instances/north)", plain]


def test_a_quiet_night_sends_no_message_unless_it_shall(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("apprise")
    monkeypatch.setenv("NOTIFY_URLS", "json://127.0.0.1:1/not-to-be-shown")
    quiet = result(stories.applied(build_plan(*stories.quiet_changes()), exit_code=0))
    assert main(["ci", "notify", "--result", quiet]) == 0
    assert "no message is sent" in capsys.readouterr().err
    assert main(["ci", "notify", "--result", quiet, "--always"]) == 1
    told = capsys.readouterr()
    assert "address 1 (JSON) was not reached" in told.err
    assert "not-to-be-shown" not in told.out + told.err


def test_the_issue_is_given_to_people_and_a_stranger_is_a_warning(
    night: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with served_github(FakeGitHub()) as github:
        github.tokens["ghs_everything"] = {"issues": "write"}
        for name, value in (
            ("GITHUB_API_URL", github.url), ("GITHUB_REPOSITORY", "acme/billing"), ("GITHUB_TOKEN", "ghs_everything"),
            ("GITHUB_ACTIONS", "true"),
        ):  # fmt: skip
            monkeypatch.setenv(name, value)
        options = ["--assignees", "@a-person, stranger", "--labels", "needs a person, billing"]
        assert main(["ci", "issue", "--result", night, *options]) == 0
        assert [who["login"] for who in github.issues[0]["assignees"]] == ["a-person"]
        assert [label["name"] for label in github.issues[0]["labels"]] == ["needs a person", "billing"]
    assert "::warning title=Nightly issue::GitHub did not assign stranger." in capsys.readouterr().out
