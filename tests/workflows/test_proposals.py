"""The night's second job, executed: one pull request with what the two systems suggest, and what people do with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.forge.branches import PROPOSALS
from tests.cli.bench import six_clients
from tests.faults.kinds import Fault, FaultKind, Faults
from tests.workflows.runner import Job, load_workflow
from tests.workflows.scene import ROOT, Scene, six_mappings, staged

pytestmark = pytest.mark.timeout(300)

DOWN = Faults([Fault(kind=FaultKind.HTML, at="infima.*", times=1_000)])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Six mappings, and one INFIMA client that nobody has mapped."""
    with staged(tmp_path, six_clients()) as scene:
        scene.world.add_client(107, "Gull Logistics", active=12)
        scene.world.add_customer(41, "GULL Logistics Ltd.")
        scene.attach_all()
        yield scene


def night(scene: Scene) -> Job:
    """A whole night; how its second job ended."""
    first = scene.night()
    assert first.result == "success", first.log
    assert scene.proposing is not None
    assert scene.proposing.result == "success", scene.proposing.log
    return scene.proposing


def again(scene: Scene) -> Job:
    """The second job alone."""
    job = scene.propose_again()
    assert job.result == "success", job.log
    return job


def the_pull(scene: Scene) -> dict[str, Any]:
    (row,) = scene.github.open_pulls()
    return row


def on_the_branch(scene: Scene) -> str:
    return scene.git("show", f"{PROPOSALS}:mappings.yaml", at=scene.remote)


def tip(scene: Scene) -> str:
    return scene.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{PROPOSALS}", at=scene.remote)


def merge(scene: Scene) -> str:
    """Somebody presses the button."""
    scene.git("fetch", "-q", "origin")
    scene.git("merge", "-q", "--no-ff", "-m", "Merge the proposals", f"origin/{PROPOSALS}")
    scene.git("push", "-q", "origin", "main")
    scene.github.end_pull(the_pull(scene)["number"], merged=True)
    return scene.head()


def test_from_a_new_client_to_its_subscription_without_an_editor(scene: Scene) -> None:
    """One story, told in order: each act starts where the last one ended."""
    a_night_opens_it(scene)
    the_next_night_brings_it_up_to_date(scene)
    it_is_merged_and_applied(scene)
    the_night_after_finds_nothing_left(scene)


def a_night_opens_it(scene: Scene) -> None:
    """The second job asks neither system."""
    job = night(scene)
    body = the_pull(scene)["body"]
    assert the_pull(scene)["title"] == "mappings.yaml: 1 proposed edit"
    assert "| Gull Logistics (107) | GULL Logistics Ltd. (41) |" in body
    assert "## What tonight's run would do with this branch" in body
    assert "| create | `infima-107` |" in body
    assert 'infima_client: {id: 107, name: "Gull Logistics"}' in on_the_branch(scene)
    assert "## 1 proposed edit of mappings.yaml" in job.summary
    asked, before = len(scene.world.requests), tip(scene)
    assert "unchanged, 1 proposed" in again(scene).log
    assert (len(scene.world.requests), tip(scene)) == (asked, before)


def the_next_night_brings_it_up_to_date(scene: Scene) -> None:
    """A client has been renamed: a second commit."""
    scene.world.infima_clients[103].name = "Corvid Laboratories"
    night(scene)
    assert the_pull(scene)["title"] == "mappings.yaml: 2 proposed edits"
    assert "Corvid Laboratories" in on_the_branch(scene)
    subjects = scene.git("log", "--format=%s (%an)", f"main..{PROPOSALS}", at=scene.remote)
    assert subjects.splitlines() == ["Bring 1 name up to date (reconciler)", "Map 1 INFIMA client (reconciler)"]


def it_is_merged_and_applied(scene: Scene) -> None:
    """The new client has its Subscription."""
    job = scene.pushed(merge(scene))
    assert job.result == "success", job.log
    made = [row for row in scene.world.live_subscriptions() if row["client_id"] == 41]
    assert [row["count"] for row in made] == [12]


def the_night_after_finds_nothing_left(scene: Scene) -> None:
    """No pull request, no branch. The apply has kept what it read, too."""
    job = again(scene)
    assert (scene.github.open_pulls(), tip(scene)) == ([], "")
    assert "Nobody has to do anything." in job.summary


def test_the_job_has_no_secret_and_no_environment() -> None:
    job = load_workflow(ROOT / ".github" / "workflows" / "nightly.yml")["jobs"]["propose"]
    assert "environment" not in job
    assert "secrets." not in str(job)
    assert "HALO_" not in str(job)
    assert job["permissions"] == {"contents": "write", "pull-requests": "write"}


def test_what_a_person_did_on_the_branch_stays(scene: Scene) -> None:
    night(scene)
    scene.git("fetch", "-q", "origin")
    scene.git("checkout", "-q", "-B", "work", f"origin/{PROPOSALS}")
    scene.write(on_the_branch(scene) + "\n# mine\n")
    theirs = scene.commit("Mine", branch=PROPOSALS)
    job = again(scene)
    assert tip(scene) == theirs
    assert "is left alone: people worked on it" in job.log
    assert "by A Person: Mine" in the_pull(scene)["body"]
    assert "| create | `infima-107` |" in the_pull(scene)["body"], "the plan is that of the branch as it is"


def test_what_a_person_closes_is_not_proposed_again(scene: Scene) -> None:
    night(scene)
    scene.github.end_pull(the_pull(scene)["number"])
    for _ in range(2):
        job = again(scene)
        assert (scene.github.open_pulls(), tip(scene)) == ([], "")
        assert "<summary>1 declined</summary>" in job.summary
    assert "`reconciler propose --again map-107 --state git:reconciler-state`" in job.summary


def test_what_a_person_did_elsewhere_closes_it(scene: Scene) -> None:
    night(scene)
    scene.write(
        six_mappings() + '\nignore:\n  - infima_client: {id: 107, name: "Gull Logistics"}\n    reason: "ours"\n'
    )
    scene.commit("By hand")
    again(scene)
    assert (scene.github.open_pulls(), tip(scene)) == ([], "")
    scene.write(six_mappings())
    scene.commit("And back")
    again(scene)
    assert the_pull(scene)["title"] == "mappings.yaml: 1 proposed edit", "nobody had declined it"


def test_a_night_that_did_not_come_to_its_end_proposes_nothing(scene: Scene) -> None:
    scene.server.faults.replace(DOWN)
    scene.night()
    assert scene.proposing is not None
    assert scene.proposing.result == "skipped"


def test_a_repository_that_forbids_it_gets_a_warning_and_no_red_night(scene: Scene) -> None:
    scene.github.may_open_pulls = False
    job = night(scene)
    assert "::warning title=Proposals::The branch reconciler/proposals is there, but no pull request" in job.log
    assert "Allow GitHub Actions to create and approve pull requests" in job.log


def test_a_broken_file_proposes_nothing_and_says_why(scene: Scene) -> None:
    night(scene)
    before = tip(scene)
    scene.write(six_mappings().replace("halo_customer: {id: 12", "halo_custmer: {id: 12"))
    scene.commit("Broken")
    job = scene.propose_again()
    assert job.result == "failure"
    assert "mappings.yaml:8:" in job.log
    assert tip(scene) == before
