"""Runs the jobs of a workflow file here: its `run:` steps in a real shell, its actions by what they are known to do.

A step gets the environment that GitHub gives it and nothing of this machine's.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.workflows.expressions import fill, holds

STEP_SECONDS = 90


@dataclass
class Step:
    """How a step ended: `outcome` is success, failure or skipped; what it printed."""

    name: str
    outcome: str
    log: str = ""


@dataclass
class Job:
    """How a job ended. `summary` and `outputs` are what its steps wrote, `artifacts` what they uploaded."""

    name: str
    result: str
    steps: list[Step] = field(default_factory=list)
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)
    """What the job itself gives to those that need it."""
    artifacts: dict[str, Path] = field(default_factory=dict)
    environment: str = ""

    @property
    def log(self) -> str:
        """Everything that the job printed, with the name of each step."""
        return "".join(f"== {step.name} [{step.outcome}]\n{step.log}" for step in self.steps)

    def step(self, name: str) -> Step:
        """The step of that name."""
        return next(step for step in self.steps if step.name == name)


def load_workflow(path: Path) -> dict[str, Any]:
    """The workflow as data. YAML 1.1 takes the key `on` for true."""
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    workflow["on"] = workflow.pop(True)
    return workflow  # type: ignore[no-any-return]


@dataclass
class Event:
    """What started the workflow. `secrets` and `variables` are those of each environment."""

    github: dict[str, Any]
    environment: dict[str, str]
    clone_of: Path
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    variables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


class JobRunner:
    """One job in a workspace of its own."""

    def __init__(
        self,
        name: str,
        job: dict[str, Any],
        event: Event,
        folder: Path,
        *,
        token: str,
        done: Mapping[str, Job] | None = None,
    ) -> None:
        self._job = job
        self._event = event
        self._workspace = folder / "workspace"
        self._folder = folder
        self._workspace.mkdir(parents=True)
        place = str(job.get("environment") or "")
        self.outcome = Job(name=name, result="success", environment=place)
        self._contexts: dict[str, Any] = {
            "github": {**event.github, "token": token},
            "secrets": event.secrets.get(place, {}),
            "vars": event.variables.get(place, {}),
            "inputs": event.inputs,
            "steps": {},
            "needs": _needs(job, done or {}),
        }
        self._functions = {
            "always": lambda: True,
            "cancelled": lambda: False,
            "success": lambda: self.outcome.result == "success",
            "failure": lambda: self.outcome.result == "failure",
        }

    def run(self) -> Job:
        if not holds(self._job.get("if"), self._contexts, self._functions):
            self.outcome.result = "skipped"
            return self.outcome
        for number, step in enumerate(self._job["steps"], 1):
            self._run_step(number, step)
        self.outcome.given = {name: self._filled(value) for name, value in self._job.get("outputs", {}).items()}
        summary = self._folder / "summary"
        self.outcome.summary = summary.read_text(encoding="utf-8") if summary.exists() else ""
        return self.outcome

    def _run_step(self, number: int, step: dict[str, Any]) -> None:
        done = Step(name=step["name"], outcome="skipped")
        self.outcome.steps.append(done)
        output = self._folder / f"output-{number}"
        output.touch()
        if holds(step.get("if"), self._contexts, self._functions):
            ok = self._perform(step, done, output)
            done.outcome = "success" if ok else "failure"
            if not ok and not step.get("continue-on-error"):
                self.outcome.result = "failure"
        if "id" in step:
            outputs = read_outputs(output.read_text(encoding="utf-8"))
            self._contexts["steps"][step["id"]] = {"outputs": outputs, "outcome": done.outcome}
            self.outcome.outputs |= {f"{step['id']}.{name}": value for name, value in outputs.items()}

    def _perform(self, step: dict[str, Any], done: Step, output: Path) -> bool:
        if "uses" in step:
            given = {k: self._filled(v) for k, v in step.get("with", {}).items()}
            match step["uses"].partition("@")[0]:
                case "actions/checkout":
                    return self._checkout(given, done)
                case "actions/upload-artifact":
                    return self._upload(given)
                case unknown:
                    raise ValueError(f"no test knows what {unknown} does")
        assert "${{" not in step["run"], "untrusted text must not become shell"
        given = {**self._job.get("env", {}), **step.get("env", {})}
        variables = {k: self._filled(v) for k, v in given.items()}
        files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(self._folder / "summary")}
        return self._shell(step["run"], {**variables, **files}, self._filled(step.get("working-directory", ".")), done)

    def _filled(self, value: object) -> str:
        return fill(str(value).lower() if isinstance(value, bool) else value, self._contexts, self._functions)

    def _shell(self, script: str, variables: dict[str, str], folder: str, done: Step) -> bool:
        ended = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self._workspace / folder,
            env={**self._event.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=STEP_SECONDS,
            check=False,
        )
        done.log += ended.stdout
        return ended.returncode == 0

    def _checkout(self, given: dict[str, str], done: Step) -> bool:
        """Fetch one ref without history, as the action does; a branch's name means its newest commit."""
        assert given["persist-credentials"] == "false"
        place = self._workspace / given.get("path", ".")
        depth, ref = given.get("fetch-depth", "1"), given.get("ref") or self._event.github["ref"]
        full = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
        here = f"git init -q '{place}' && cd '{place}' && git remote add origin '{self._event.clone_of.as_uri()}'"
        script = f"{here} && git fetch -q --no-tags --depth {depth} origin '+{full}:refs/remotes/checked/out'"
        return self._shell(f"{script} && git checkout -q refs/remotes/checked/out", {}, ".", done)

    def _upload(self, given: dict[str, str]) -> bool:
        to = self._folder / "artifacts" / given["name"]
        shutil.copytree(self._workspace / given["path"], to)
        self.outcome.artifacts[given["name"]] = to
        return True


def _needs(job: Mapping[str, Any], done: Mapping[str, Job]) -> dict[str, Any]:
    """What is known of the jobs that this one waits for."""
    wanted = job.get("needs", [])
    names = [wanted] if isinstance(wanted, str) else wanted
    return {name: {"result": done[name].result, "outputs": done[name].given} for name in names}


def read_outputs(text: str) -> dict[str, str]:
    """GITHUB_OUTPUT as the runner reads it: `name=value` and `name<<MARK` ... `MARK`."""
    lines, outputs = iter(text.splitlines()), {}
    for line in lines:
        found = re.fullmatch(r"([A-Za-z_-]+)<<(.+)", line)
        if found is None:
            name, _, value = line.partition("=")
            outputs[name] = value
            continue
        value_lines = []
        for inner in lines:
            if inner == found[2]:
                break
            value_lines.append(inner)
        outputs[found[1]] = "\n".join(value_lines)
    return outputs
