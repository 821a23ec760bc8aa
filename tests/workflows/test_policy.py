"""What every workflow here must hold to: a pull request can neither write nor read a secret (FAULTS AF1-AF9)."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.runner import load_workflow

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
WRITERS = ("apply.yml", "nightly.yml")
PINNED = re.compile(r"uses: ((?:actions|pypa)/[a-z-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$")


def steps_of(path: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [(job, step) for job in load_workflow(path)["jobs"].values() for step in job["steps"]]


def test_there_are_the_five_workflows() -> None:
    assert [path.name for path in FILES] == ["apply.yml", "ci.yml", "nightly.yml", "plan.yml", "release.yml"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_nothing_is_permitted_until_a_job_asks_for_it(path: Path) -> None:
    workflow = load_workflow(path)
    assert workflow["permissions"] == {}
    assert all("permissions" in job for job in workflow["jobs"].values())


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_job_ends_by_itself(path: Path) -> None:
    assert all(0 < job["timeout-minutes"] <= 60 for job in load_workflow(path)["jobs"].values())


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_no_event_gives_a_fork_our_secrets(path: Path) -> None:
    events = set(load_workflow(path)["on"])
    assert events <= {"pull_request", "push", "schedule", "workflow_dispatch"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_actions_are_pinned_with_their_version(path: Path) -> None:
    used = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


def test_one_action_has_one_pin() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in FILES)
    pins = {(m[1], m[2], m[3]) for m in re.finditer(PINNED.pattern, text, re.MULTILINE)}
    assert len({name for name, _, _ in pins}) == len(pins)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_checkouts_keep_no_credentials(path: Path) -> None:
    checkouts = [step for _, step in steps_of(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_no_text_from_outside_becomes_shell(path: Path) -> None:
    assert [step["name"] for _, step in steps_of(path) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_secrets_reach_single_steps_of_jobs_with_an_environment_only(path: Path) -> None:
    for job, step in steps_of(path):
        assert "secrets." not in str(job.get("env", {}))
        assert "secrets." not in str(step.get("with", {}))
        if "secrets." in str(step.get("env", {})):
            assert job["environment"] in {"halo-read", "halo-write"}, step["name"]


def test_pull_requests_never_meet_the_writing_environment() -> None:
    jobs = load_workflow(FOLDER / "plan.yml")["jobs"]
    assert [job.get("environment") for job in jobs.values()] == [None, "halo-read"]
    assert not any("apply" in step.get("run", "") for job in jobs.values() for step in job["steps"])
    assert "head.repo.full_name == github.repository" in jobs["preview"]["if"]


def test_the_program_in_pull_requests_is_the_base_branchs() -> None:
    for job, step in steps_of(FOLDER / "plan.yml"):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["path"] in {"tool", "proposal"}
            assert (step["with"].get("ref") == "${{ github.base_ref }}") is (step["with"]["path"] == "tool")
        for word in re.findall(r"[\w./]*\.ci/\S+", step.get("run", "")):
            below = "../tool/" if step.get("working-directory") == "proposal" else "tool/"
            assert word.startswith(below), f"{job} {step['name']}"


@pytest.mark.parametrize("name", WRITERS)
def test_writers_wait_for_each_other_and_are_never_cancelled(name: str) -> None:
    assert load_workflow(FOLDER / name)["concurrency"] == {"group": "halo-write", "cancel-in-progress": False}


@pytest.mark.parametrize("name", WRITERS)
def test_writers_check_out_the_default_branch_by_name(name: str) -> None:
    refs = [s["with"]["ref"] for _, s in steps_of(FOLDER / name) if s.get("uses", "").startswith("actions/checkout@")]
    assert set(refs) == {"main"}


@pytest.mark.parametrize("name", WRITERS)
def test_a_signal_reaches_the_program_that_writes(name: str) -> None:
    """The runner signals the step's own process: a shell in between would be ended in the program's place (PF2)."""
    runs = [s["run"] for _, s in steps_of(FOLDER / name) if "reconciler apply" in s.get("run", "")]
    assert len(runs) == 1
    assert runs[0].startswith("exec ")


@pytest.mark.parametrize("name", WRITERS)
def test_what_happened_is_kept_and_told_even_after_a_failure(name: str) -> None:
    kept = [s for _, s in steps_of(FOLDER / name) if s["name"] in {"Collect the journal", "Keep report and journal"}]
    assert len(kept) == 2
    assert all("always()" in step["if"] for step in kept)


def test_the_night_is_off_the_hour() -> None:
    (schedule,) = load_workflow(FOLDER / "nightly.yml")["on"]["schedule"]
    assert int(schedule["cron"].split()[0]) not in {0, 15, 30, 45}
    assert schedule["timezone"]


def test_the_gate_waits_for_every_other_job() -> None:
    jobs = load_workflow(FOLDER / "ci.yml")["jobs"]
    assert set(jobs["gate"]["needs"]) == set(jobs) - {"gate"}
    assert jobs["gate"]["if"] == "${{ always() }}"
    assert len(jobs["gate"]["steps"][0]["run"].split("success")) == len(jobs), "one success for each"


def test_ci_covers_every_python_that_is_promised() -> None:
    assert load_workflow(FOLDER / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"] == [
        "3.11", "3.12", "3.13", "3.14",
    ]  # fmt: skip


def test_what_sends_messages_is_locked_beside_the_same_program() -> None:
    run, notify = (
        (ROOT / "requirements" / name).read_text(encoding="utf-8").split("\n") for name in ("run.txt", "notify.txt")
    )
    assert set(run) <= set(notify), "make lock writes both"
    assert any(line.startswith("apprise==") for line in notify)


def test_ci_runs_the_unit_tests_on_other_systems_and_with_other_releases() -> None:
    jobs = load_workflow(FOLDER / "ci.yml")["jobs"]
    assert jobs["versions"]["strategy"]["matrix"]["versions"] == ["lowest", "httpx2"]
    assert [name.partition("-")[0] for name in jobs["systems"]["strategy"]["matrix"]["system"]] == ["windows", "macos"]
    assert jobs["systems"]["steps"][-1]["run"].endswith("@tests/unit.txt")
    listed = (ROOT / "tests" / "unit.txt").read_text(encoding="utf-8").split()
    assert [path for path in listed if not (ROOT / path).exists()] == []


def test_the_lowest_releases_that_are_tested_are_those_that_are_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = (ROOT / "requirements" / "lowest.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([a-z0-9-]+)==([0-9.]+)", locked, re.MULTILINE))
    bounds = (*declared["dependencies"], *chain.from_iterable(declared["optional-dependencies"].values()))
    for bound in bounds:
        name, _, lowest = bound.partition(";")[0].partition(">=")
        assert zeroless(pins[name]) == zeroless(lowest), bound


def zeroless(version: str) -> str:
    return re.sub(r"(\.0)+$", "", version)


def test_a_release_is_built_once_and_what_was_tested_is_published() -> None:
    release = load_workflow(FOLDER / "release.yml")
    jobs = release["jobs"]
    assert release["on"] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}
    assert {name: job.get("needs", []) for name, job in jobs.items()} == {
        "build": [], "again": ["build"], "test": ["build"], "attest": ["build", "again", "test"],
        "publish": ["attest"], "announce": ["publish"],
    }  # fmt: skip
    built = [name for name, job in jobs.items() if "make dist" in str(job["steps"])]
    assert built == ["build", "again"]
    for name in ("again", "test", "attest", "publish", "announce"):
        assert "actions/download-artifact@" in str(jobs[name]["steps"]), name
    assert jobs["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]


def test_only_the_publishing_job_of_a_release_may_publish() -> None:
    jobs = load_workflow(FOLDER / "release.yml")["jobs"]
    assert {name: set(job["permissions"]) for name, job in jobs.items() if set(job["permissions"]) != {"contents"}} == {
        "attest": {"attestations", "id-token"}, "publish": {"id-token"},
    }  # fmt: skip
    assert [name for name, job in jobs.items() if job["permissions"].get("contents") == "write"] == ["announce"]
    assert jobs["publish"]["environment"] == "pypi"
    assert "secrets." not in (FOLDER / "release.yml").read_text(encoding="utf-8")


def test_zizmor_finds_nothing() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("zizmor"), "--offline", "--pedantic", "--no-progress", str(FOLDER.parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflows_are_valid_by_their_schema() -> None:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("check-jsonschema"),
            "--builtin-schema",
            "vendor.github-workflows",
            *map(str, FILES),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
