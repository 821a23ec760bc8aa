"""The workflows' own steps, executed in order: what a pull request, its merge and the nights after it really do."""

from __future__ import annotations

import json

import pytest

from reconciler.cli.main import main
from tests.faults.kinds import Fault, FaultKind, Faults
from tests.forge.receiver import received
from tests.workflows.scene import Scene, six_mappings

pytestmark = pytest.mark.timeout(300)

BOREALIS_AT_LEAST_30 = six_mappings(c102="    quantity: {minimum: 30}")
BOREALIS_AT_LEAST_20 = six_mappings(c102="    quantity: {minimum: 20}")
DOWN = Faults([Fault(kind=FaultKind.HTML, at="infima.*", times=1_000)])


def issues(scene: Scene) -> list[tuple[str, str]]:
    return [(issue["title"], issue["state"]) for issue in scene.github.own_issues()]


def test_from_a_pull_request_to_a_clean_night(scene: Scene) -> None:
    """One story, told in order: each act starts where the last one ended."""
    scene.attach_all()
    number = a_pull_request_is_opened_and_edited(scene)
    it_is_merged(scene, number)
    the_new_ones_wait_until_they_are_attached(scene)
    the_night_after_finds_nothing_to_do(scene)
    a_night_holds_one_change_and_writes_the_others(scene)
    a_night_finds_infima_down(scene)
    the_next_night_is_clean(scene)


def a_pull_request_is_opened_and_edited(scene: Scene) -> int:
    """One comment, edited in place; not one write."""
    number = scene.propose(BOREALIS_AT_LEAST_30)
    jobs = scene.pull_request(number)
    assert [job.result for job in jobs.values()] == ["success", "success"], jobs["preview"].log
    (comment,) = scene.github.comments_on(number)
    assert "Merging the edit changes 1 quantity, and 2 quantities would change tonight with or without it." in comment
    assert "| update | `infima-102` | Borealis Freight | 11 | 30 | +19 |" in comment
    assert "| update | `infima-102` | Borealis Freight | 11 | 30 | +19 |" in jobs["preview"].summary
    assert {path.name for path in jobs["preview"].artifacts["plan"].iterdir()} == {"plan.json", "report.html"}
    scene.edit(number, BOREALIS_AT_LEAST_20)
    scene.pull_request(number)
    (comment,) = scene.github.comments_on(number)
    assert "| update | `infima-102` | Borealis Freight | 11 | 20 | +9 |" in comment
    assert scene.writes() == 0
    return number


def it_is_merged(scene: Scene, number: int) -> None:
    """HaloPSA is set, the pull request is told, a second plan finds nothing left."""
    job = scene.pushed(scene.merge(number))
    assert job.result == "success", job.log
    assert scene.count_of(9002) == 20
    assert "No changes." in job.step("Verify with a second plan, and keep what was read").log
    preview, applied = scene.github.comments_on(number)
    assert "This is a preview" in preview
    assert "2 Subscriptions were created, and 1 quantity was set." in applied
    assert "2 things wait for a person" in applied
    assert "A new Subscription has no price: set that as well." in applied
    assert job.outputs["result.verdict"] == "clean"
    assert "Borealis Freight" in (job.artifacts["apply"] / "report.html").read_text(encoding="utf-8")


def the_new_ones_wait_until_they_are_attached(scene: Scene) -> None:
    """The reminder outlasts a night, and ends with the look that shows them attached."""
    scene.night()
    assert issues(scene) == [("Nightly reconciliation: 2 need attention", "open")]
    scene.attach_all()
    scene.night()
    assert issues(scene) == [("Nightly reconciliation: nothing needs attention", "closed")]


def the_night_after_finds_nothing_to_do(scene: Scene) -> None:
    """No write, no open issue."""
    written = scene.writes()
    job = scene.night()
    assert job.result == "success", job.log
    assert "Everything was right already." in job.summary
    assert scene.writes() == written
    assert issues(scene) == [("Nightly reconciliation: nothing needs attention", "closed")]


def a_night_holds_one_change_and_writes_the_others(scene: Scene) -> None:
    """One issue names it; the job does not fail."""
    scene.world.users_leave(101, 10)
    scene.world.users_join(103, 2)
    job = scene.night()
    assert job.result == "success", job.log
    assert (scene.count_of(9001), scene.count_of(9003)) == (10, 14)
    assert issues(scene) == [("Nightly reconciliation: 1 needs attention", "open")]
    assert "Acme Dental" in scene.github.own_issues()[0]["body"]


def a_night_finds_infima_down(scene: Scene) -> None:
    """Nothing is written, the same issue says so, the job fails, the journal is kept."""
    written = scene.writes()
    scene.server.faults.replace(DOWN)
    job = scene.night()
    assert job.result == "failure"
    assert job.outputs["result.reason"] == "infima"
    assert scene.writes() == written
    assert issues(scene) == [("Nightly reconciliation: 2 need attention", "open")], "what was held waits on"
    assert "INFIMA gave a web page instead of JSON" in scene.github.own_issues()[0]["body"]
    assert list((job.artifacts["nightly"] / "journal").glob("*.jsonl"))


def the_next_night_is_clean(scene: Scene) -> None:
    """The issue is closed."""
    scene.server.faults.replace(Faults())
    scene.world.users_join(101, 10)
    job = scene.night()
    assert job.result == "success", job.log
    assert issues(scene) == [("Nightly reconciliation: nothing needs attention", "closed")]


def test_a_fork_gets_a_preview_from_last_night_without_any_credential(scene: Scene) -> None:
    scene.night()
    reads = len(scene.world.requests)
    number = scene.propose(BOREALIS_AT_LEAST_30)
    jobs = scene.pull_request(number, fork=True)
    assert (jobs["check"].result, jobs["preview"].result) == ("success", "skipped"), jobs["check"].log
    assert "| update | `infima-102` | Borealis Freight | 11 | 30 | +19 |" in jobs["check"].summary
    assert "::notice file=mappings.yaml,line=7,col=5,title=Update%3A infima-102::" in jobs["check"].log
    assert len(scene.world.requests) == reads, "nothing was asked of either system"
    assert scene.github.comments_on(number) == []


def test_a_fresh_repository_without_credentials_is_green(scene: Scene) -> None:
    scene.configured = False
    number = scene.propose(BOREALIS_AT_LEAST_30)
    jobs = [*scene.pull_request(number).values(), scene.pushed(scene.merge(number)), scene.night()]
    assert [job.result for job in jobs] == ["success"] * 4
    assert all("No credentials are configured here" in job.log for job in jobs[1:])
    assert scene.world.requests == []
    assert scene.github.requests == []


def test_one_lost_secret_is_no_quiet_night(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.workflows.scene.HALO_SECRETS", ("HALO_CLIENT_ID", "HALO_CLIENT_SECRET"))
    job = scene.night()
    assert job.result == "failure"
    assert "INFIMA_API_KEY" in job.step("Are there credentials?").log
    assert scene.world.requests == []


def test_the_program_of_the_pull_request_never_runs(scene: Scene) -> None:
    number = scene.propose(BOREALIS_AT_LEAST_30)
    (scene.desk / "reconciler" / "__main__.py").write_text("raise SystemExit('the proposal ran')\n", encoding="utf-8")
    (scene.desk / ".ci" / "reconciler").write_text("#!/bin/sh\necho the proposal ran\n", encoding="utf-8")
    (scene.desk / "click.py").write_text("raise SystemExit('the proposal ran')\n", encoding="utf-8")
    (scene.desk / "sitecustomize.py").write_text("raise SystemExit('the proposal ran')\n", encoding="utf-8")
    scene.edit(number, BOREALIS_AT_LEAST_30)
    jobs = scene.pull_request(number)
    assert [job.result for job in jobs.values()] == ["success", "success"], jobs["check"].log
    assert "the proposal ran" not in jobs["check"].log + jobs["preview"].log
    assert len(scene.github.comments_on(number)) == 1


def test_a_broken_edit_is_marked_and_commented_with_its_line(scene: Scene) -> None:
    number = scene.propose(BOREALIS_AT_LEAST_30)
    scene.pull_request(number)
    scene.edit(number, six_mappings().replace("halo_customer: {id: 12", "halo_custmer: {id: 12"))
    jobs = scene.pull_request(number)
    assert [job.result for job in jobs.values()] == ["failure", "failure"]
    assert "::error file=mappings.yaml,line=8," in jobs["check"].step("Is mappings.yaml in order?").log
    (comment,) = scene.github.comments_on(number)
    assert "No preview could be made." in comment
    assert "Line 8:" in comment


def test_a_rerun_of_an_old_run_applies_the_newest_file(scene: Scene) -> None:
    old = scene.head()
    number = scene.propose(BOREALIS_AT_LEAST_30)
    new = scene.merge(number)
    job = scene.pushed(old)
    assert job.result == "success", job.log
    assert scene.count_of(9002) == 30
    assert f"main at {new[:12]}, its newest commit" in job.log
    (journal,) = (job.artifacts["apply"] / "journal").glob("*.jsonl")
    started = json.loads(journal.read_text(encoding="utf-8").splitlines()[0])
    assert started["facts"]["commit"] == new, "the journal names what was applied, not what started the job"


def test_a_checkout_that_is_not_the_head_is_refused_before_anything_is_asked(scene: Scene) -> None:
    scene.git("push", "-q", "origin", f"{scene.head()}:refs/heads/production")
    scene.git("symbolic-ref", "HEAD", "refs/heads/production", at=scene.remote)
    scene.write(BOREALIS_AT_LEAST_30)
    scene.commit("Ahead", branch="production")
    job = scene.night()
    assert job.result == "failure"
    assert job.outputs["result.reason"] == "config"
    assert scene.world.requests == []
    assert "must not be applied" in scene.github.own_issues()[0]["body"]


def test_a_held_change_is_released_from_the_browser_with_a_reason(scene: Scene) -> None:
    scene.night()
    scene.attach_all()
    scene.world.users_leave(101, 10)
    scene.night()
    assert scene.count_of(9001) == 10
    job = scene.by_hand(
        allow="zero:infima-101 decrease:infima-101", only="infima-101", reason='they left; $(touch x) "quoted"'
    )
    assert job.result == "success", job.log
    assert scene.count_of(9001) == 0
    (journal,) = (job.artifacts["apply"] / "journal").glob("*.jsonl")
    assert "they left; $(touch x)" in journal.read_text(encoding="utf-8")
    scene.night()
    assert issues(scene)[0][1] == "closed"


def test_a_rule_is_not_lifted_without_a_reason(scene: Scene) -> None:
    job = scene.by_hand(allow="zero:infima-101")
    assert job.result == "failure"
    assert job.outputs["result.reason"] == "usage"
    assert scene.writes() == 0


def test_a_night_that_died_is_reported_and_nobody_is_told_that_it_was_well(scene: Scene) -> None:
    """As when the runner kills the program: there is no result at all."""
    workflow = scene.desk / ".github" / "workflows" / "nightly.yml"
    text = workflow.read_text(encoding="utf-8")
    workflow.write_text(text.replace("apply --auto-approve -o json", "apply --auto-approve -o json | kill -9 $$"))
    scene.switch_url = f"{scene.github.url}/switch"
    job = scene.night()
    assert job.result == "failure"
    assert issues(scene) == [("Nightly reconciliation: 1 needs attention", "open")]
    assert "ended without a result" in scene.github.own_issues()[0]["body"]
    assert "GET /switch" not in scene.github.requests


def test_the_dead_mans_switch_is_called_after_a_good_night_only(scene: Scene) -> None:
    scene.switch_url = f"{scene.github.url}/switch"
    scene.night()
    assert scene.github.requests.count("GET /switch") == 1
    scene.server.faults.replace(DOWN)
    scene.night()
    assert scene.github.requests.count("GET /switch") == 1


def test_people_are_told_what_waits_and_once_that_all_is_right_again(scene: Scene) -> None:
    scene.attach_all()
    scene.issue_variables = {"ISSUE_ASSIGNEES": "a-person", "ISSUE_LABELS": "billing"}
    with received() as receiver:
        scene.notify_urls = f"json://{receiver.host}/hook"
        assert scene.night().result == "success"
        scene.attach_all()
        for _night in range(2):
            assert scene.night().result == "success"
        told = [json.loads(content) for _, content in receiver.requests]
    assert [message["title"] for message in told] == [
        "Nightly reconciliation: clean, 2 things wait for a person",
        "Nightly reconciliation: right again, nothing waits for a person",
    ]
    assert "https://github.example.com/acme/billing/actions/runs/1" in told[0]["message"]
    assert "Waits no longer: " in told[1]["message"]
    (issue,) = scene.github.own_issues()
    assert ([who["login"] for who in issue["assignees"]], issue["labels"]) == (["a-person"], [{"name": "billing"}])


def test_a_message_that_reaches_nobody_fails_the_job_and_the_switch_raises_its_alarm(scene: Scene) -> None:
    scene.switch_url = f"{scene.github.url}/switch"
    scene.notify_urls = "json://127.0.0.1:1/not-to-be-shown"
    job = scene.night()
    assert (job.result, job.outputs["result.verdict"]) == ("failure", "clean")
    assert "address 1 (JSON) was not reached" in job.step("Tell people where they are").log
    assert "not-to-be-shown" not in job.log
    assert "GET /switch" not in scene.github.requests


def test_no_secret_is_in_anything_that_is_kept_or_shown(scene: Scene) -> None:
    number = scene.propose(BOREALIS_AT_LEAST_30)
    jobs = [*scene.pull_request(number).values(), scene.pushed(scene.merge(number)), scene.night()]
    known = scene.server.environment()
    hidden = [known[name].encode() for name in ("HALO_CLIENT_ID", "HALO_CLIENT_SECRET", "INFIMA_API_KEY")]
    kept = b"".join(
        path.read_bytes()
        for job in jobs
        for folder in job.artifacts.values()
        for path in folder.rglob("*")
        if path.is_file()
    )
    shown = "".join(job.log + job.summary for job in jobs).encode()
    comments = "".join(scene.github.comments_on(number)).encode()
    ours = ("reconciler-state", "reconciler-snapshot")
    branches = scene.git("log", "-p", "--format=%B", *ours, at=scene.remote).encode()
    assert not any(secret in text for secret in hidden for text in (kept, shown, comments, branches))
    assert b"ghs_" not in kept + shown + comments + branches


def test_a_repository_made_by_init_lives_by_the_same_workflows(scene: Scene) -> None:
    scene.git("rm", "-rq", ".")
    made = scene.desk / ".github"
    assert not made.exists()
    assert main(["init", str(scene.desk)]) == 0
    scene.write(six_mappings())
    scene.commit("Made by init")
    number = scene.propose(BOREALIS_AT_LEAST_30)
    jobs = scene.pull_request(number)
    assert [job.result for job in jobs.values()] == ["success", "success"], jobs["check"].log + jobs["preview"].log
    job = scene.pushed(scene.merge(number))
    assert job.result == "success", job.log
    assert scene.count_of(9002) == 30
    job = scene.night()
    assert job.result == "success", job.log
    assert list((job.artifacts["nightly"] / "journal").glob("*.jsonl"))
    assert scene.proposing is not None
    assert scene.proposing.result == "success", scene.proposing.log
