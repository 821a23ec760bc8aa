"""What the guides for GitHub, GitLab and Azure DevOps show is what there is, and their examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli.ci import ci
from reconciler.cli.main import COMMANDS
from reconciler.forge.result import Reason, Verdict
from tests.workflows.runner import load_workflow
from tests.workflows.scene import Scene, six_mappings

ROOT = Path(__file__).parents[2]
GITOPS = (ROOT / "docs" / "gitops.md").read_text(encoding="utf-8")
GUIDES = ["gitops.md", "gitlab.md", "azure.md", "policy.md"]


def example(name: str) -> dict[str, Any]:
    found = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / name).read_text(encoding="utf-8"), re.DOTALL)
    assert found
    document: dict[str, Any] = yaml.safe_load(found[1])
    return document


def execute(scene: Scene, lines: list[str], **variables: str) -> tuple[int, str]:
    """Run the lines of a job in a fresh clone, as its shell would."""
    place = scene.folder / "job"
    scene.git("clone", "-q", str(scene.remote), str(place), at=scene.folder)
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(lines)],
        cwd=place,
        env={**scene.job_environment(), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(("name", "schema"), [("gitlab.md", "gitlab-ci"), ("azure.md", "azure-pipelines")])
def test_a_guides_pipeline_fits_the_vendors_schema(name: str, schema: str, tmp_path: Path) -> None:
    """Azure's wants texts where a number or true would do; a number that is none is refused by it."""
    file = tmp_path / "pipeline.yml"
    file.write_text(yaml.safe_dump(example(name)), encoding="utf-8")
    words = ["--builtin-schema", f"vendor.{schema}", "--regex-variant", "nonunicode"]
    words += ["--data-transform", "gitlab-ci"] if schema == "gitlab-ci" else []
    tool = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run([tool, *words, file], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", GUIDES)
def test_every_command_that_a_guide_shows_exists(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    shown = re.findall(r"(?:^|[\s`/])reconciler ((?:ci )?[a-z-]+)", text)
    known = {*COMMANDS, *(f"ci {command}" for command in ci.commands)}
    assert [words for words in shown if words not in known] == []


def test_the_guide_names_every_variable_and_secret_of_the_workflows() -> None:
    used = set()
    for name in ("plan", "apply", "nightly"):
        text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
        used |= set(re.findall(r"(?:secrets|vars)\.([A-Z_]+)", text))
    assert {name for name in used if f"`{name}`" not in GITOPS} == set()


def test_the_guide_names_the_checks_that_a_branch_rule_wants() -> None:
    jobs = load_workflow(ROOT / ".github" / "workflows" / "plan.yml")["jobs"]
    prose = " ".join(GITOPS.split())
    assert all(f"*{job['name']}*" in prose for job in jobs.values())


def test_the_guide_lists_every_verdict_and_reason() -> None:
    assert [word for word in (*Verdict, *Reason) if f"`{word}`" not in GITOPS] == []


@pytest.mark.timeout(200)
def test_gitlabs_preview_runs(scene: Scene) -> None:
    scene.git("checkout", "-q", "-b", "edit")
    scene.write(six_mappings(c102="    quantity: {minimum: 30}"))
    scene.commit("Edit", branch="edit")
    job = example("gitlab.md")
    lines = ["git checkout -q edit", *job["default"]["before_script"], *job["preview"]["script"]]
    code, log = execute(scene, lines, **job["variables"], CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main")
    assert code == 0, log
    made = scene.folder / "job"
    assert (made / "tfplan.json").read_text(encoding="utf-8") == '{"create": 2, "update": 1, "delete": 0}\n'
    assert "Merging the edit changes 1 quantity" in (made / "plan.md").read_text(encoding="utf-8")
    assert scene.writes() == 0


@pytest.mark.timeout(200)
def test_gitlabs_night_runs(scene: Scene) -> None:
    job = example("gitlab.md")
    code, log = execute(scene, [*job["default"]["before_script"], *job["apply"]["script"]], **job["variables"])
    assert code == 0, log
    assert "2 Subscriptions were created" in (scene.folder / "job" / "result.md").read_text(encoding="utf-8")
    assert len(list((scene.folder / "job" / "journal").iterdir())) == 1


@pytest.mark.timeout(200)
def test_gitlabs_proposals_run(scene: Scene) -> None:
    """Behind the night, from what it kept, and with nothing but the right to push."""
    scene.git("config", "receive.advertisePushOptions", "true", at=scene.remote)
    scene.world.add_client(107, "Gull Logistics", active=12)
    scene.world.add_customer(41, "Gull Logistics Ltd")
    job = example("gitlab.md")
    taken = scene.folder / "snapshot.json"
    keeps = [line for line in job["apply"]["script"] if "--save-snapshot" in line]
    lines = [*job["default"]["before_script"], *keeps, f"cp snapshot.json {taken}"]
    code, log = execute(scene, lines, **job["variables"])
    assert code == 0, log
    (scene.folder / "job").rename(scene.folder / "night")
    lines = [*job["default"]["before_script"], f"cp {taken} .", "unset HALO_URL", *job["propose"]["script"]]
    code, log = execute(scene, lines, **job["variables"], GITLAB_CI="true")
    assert code == 0, log
    assert "107" in scene.git("show", "reconciler/proposals:mappings.yaml", at=scene.remote)
    assert "Gull Logistics (107)" in (scene.folder / "job" / "proposals.md").read_text(encoding="utf-8")


@pytest.mark.timeout(200)
def test_azures_night_runs(scene: Scene) -> None:
    steps = example("azure.md")["jobs"][0]["strategy"]["runOnce"]["deploy"]["steps"]
    lines = [step["script"] for step in steps if "script" in step]
    scene.attach_all()
    code, log = execute(scene, lines, RECONCILER_STATE="git:reconciler-state")
    assert code == 0, log
    assert "##vso[task.setvariable variable=reconciler_verdict;isOutput=true]clean" in log
    assert "##vso[task.logissue type=warning]2 need attention" in log
    assert "2 Subscriptions were created" in (scene.folder / "job" / "summary.md").read_text(encoding="utf-8")
