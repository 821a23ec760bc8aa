"""Tools that read a Terraform plan, each asked the same: what does it count, who is at nobody, is it content?"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 300
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a tool made of one document. `at_zero` is None for tools that take no policies.

    `content` is true where the tool found nothing amiss; `words` is how it says so.
    """

    create: int
    update: int
    at_zero: frozenset[str] | None = None
    content: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolbox:
    """Where the tools are: the programs of their environment, and a folder with the page's policies."""

    programs: Path
    folder: Path

    def run(self, program: str, *words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """One tool, without what would make it ask the network or an account."""
        return subprocess.run(
            [self.programs / program, *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONWARNINGS": "ignore", "NO_COLOR": "1", **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def ask(self, script: str, *words: str | Path) -> Any:
        """What a few lines of Python print as JSON, run with the tools' interpreter."""
        done = self.run("python", "-c", script, *words)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def version(self, distribution: str) -> str:
        """The tool's version; empty where it is not installed, as on a Python that it does not take."""
        script = "import importlib.metadata as m, json, sys; print(json.dumps(m.version(sys.argv[1])))"
        try:
            return str(self.ask(script, distribution))
        except RuntimeError:
            return ""


Judge = Callable[[Toolbox, Path], Judged]


def _ended(code: int) -> str:
    return "ends with 0" if code == 0 else f"ends with {code}"


def terraform_plan_summary(tools: Toolbox, plan: Path) -> Judged:
    """It marks each resource with the sign of its action."""
    done = tools.run("terraform-plan-summary", plan)
    signs = Counter(re.findall(r"── ([+~-]) halo_subscription\.", COLOUR.sub("", done.stdout)))
    return Judged(create=signs["+"], update=signs["~"], content=done.returncode == 0, words=_ended(done.returncode))


def terraplanfeed(tools: Toolbox, plan: Path) -> Judged:
    """It writes a feed for Azure DevOps; a plan without changes is no error to it, but it is logged as one."""
    done = tools.run("terraplanfeed", "--textonly", plan)
    signs = Counter(re.findall(r"^\((.)\): ", done.stdout, re.MULTILINE))
    logged = "ERROR" in done.stdout + done.stderr
    words = "logs an error" if logged else _ended(done.returncode)
    return Judged(create=signs["+"], update=signs["U"], content=done.returncode == 0 and not logged, words=words)


_COUNTING = """
metadata: {{id: CKV2_COUNT_{number}, name: Not {action}, category: CONVENTION}}
definition:
  {{cond_type: attribute, resource_types: [halo_subscription], attribute: __change_actions__,
   operator: not_contains, value: {action}}}
"""


def checkov(tools: Toolbox, plan: Path) -> Judged:
    """It is given the page's policies, and two that fail for each create and each update."""
    for number, action in enumerate(("create", "update")):
        (tools.folder / "checkov" / f"{action}.yaml").write_text(_COUNTING.format(number=number, action=action))
    ids = "CKV2_HALO_1,CKV2_HALO_2,CKV2_COUNT_0,CKV2_COUNT_1"
    words = ["--framework", "terraform_plan", "--external-checks-dir", "checkov", "--check", ids]
    done = tools.run("checkov", "-f", plan, *words, "--skip-download", "--output", "json")
    told = json.loads(done.stdout)
    failed = [(found["check_id"], found["resource"]) for found in told["results"]["failed_checks"]]
    counted = Counter(check for check, _ in failed)
    refused = counted["CKV2_HALO_2"] > 0
    return Judged(
        create=counted["CKV2_COUNT_0"],
        update=counted["CKV2_COUNT_1"],
        at_zero=_keys(resource for check, resource in failed if check == "CKV2_HALO_1"),
        content=not refused,
        words="fails CKV2_HALO_2" if refused else f"{told['summary']['resource_count']} resources",
    )


_PARSED = """
import json, sys
from collections import Counter
from terraform_compliance.extensions.terraform import TerraformParser
rows = TerraformParser(sys.argv[1]).resources.values()
print(json.dumps(Counter(action for row in rows for action in row.get("actions", []))))
"""


def terraform_compliance(tools: Toolbox, plan: Path) -> Judged:
    """It runs the page's feature; actions are counted by its own parser."""
    done = tools.run("terraform-compliance", "-f", "features", "-p", plan)
    text = COLOUR.sub("", done.stdout)
    if "is not a valid terraform plan" in text:
        return Judged(create=0, update=0, content=False, words=f"no plan to it, {_ended(done.returncode)}")
    actions = tools.ask(_PARSED, plan)
    zero = re.findall(r"for (halo_subscription\.\S+) on halo_subscription\. 0 is not more than 0", text)
    passed = re.search(r"(\d+) scenarios \((?:(\d+) passed)?", text)
    return Judged(
        create=actions.get("create", 0),
        update=actions.get("update", 0),
        at_zero=_keys(zero),
        content=bool(passed and passed[2]),
        words=_ended(done.returncode),
    )


_REGO = """
import json, pathlib, sys
from regopy import Interpreter
rego = Interpreter()
rego.add_module("halo", pathlib.Path("policy/halo.rego").read_text())
rego.set_input(json.loads(pathlib.Path(sys.argv[1]).read_text()))
ask = lambda query: json.loads(str(rego.query(query)))["expressions"][0]
count = 'count([1 | some row in input.resource_changes; "%s" in row.change.actions])'
print(json.dumps({
    "deny": list(ask("data.main.deny")), "warn": list(ask("data.main.warn")),
    "create": ask(count % "create"), "update": ask(count % "update"),
}))
"""


def opa(tools: Toolbox, plan: Path) -> Judged:
    """The page's Rego, in the query that conftest and OPA make."""
    told = tools.ask(_REGO, plan)
    zero = [message.partition(":")[0] for message in told["deny"] if message.endswith("for nobody")]
    refused = any("refused" in message for message in told["deny"])
    return Judged(
        create=told["create"],
        update=told["update"],
        at_zero=_keys(zero),
        content=not refused,
        words="denied" if refused else f"{len(told['warn'])} held are warned of",
    )


def _keys(addresses: Any) -> frozenset[str]:
    return frozenset(address.partition(".")[2] for address in addresses)


JUDGES: dict[str, Judge] = {
    "terraform-plan-summary": terraform_plan_summary,
    "terraplanfeed": terraplanfeed,
    "checkov": checkov,
    "terraform-compliance": terraform_compliance,
    "regopy": opa,
}
"""By the name of the distribution."""
