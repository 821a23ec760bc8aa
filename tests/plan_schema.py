"""The schemas of what `-o json` prints, made of their types: `make schema` writes them, tests hold them so."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from reconciler.plan_document import layout, write
from reconciler.plan_document.layout import PlanJson
from reconciler.plan_document.write import FailureJson
from reconciler.probing import report
from reconciler.probing.report import Report
from reconciler.render import proposals
from reconciler.render.proposals import ProposalsJson

FILE = Path(__file__).parent.parent / "schema" / "plan.schema.json"
PROBE_FILE = FILE.with_name("probe.schema.json")
PROPOSALS_FILE = FILE.with_name("proposals.schema.json")

DESCRIPTION = (
    "A plan: what would change in HaloPSA, and what would not and why. The layout is that of Terraform's JSON plan; "
    "apply adds outcomes and run. On failure it is errored, and has an error instead of changes."
)

Node = dict[str, Any]


def plan_schema() -> Node:
    """One schema for both documents, a plan and a failure, with every description where an editor shows it."""
    plan, failed = _whole(PlanJson), _whole(FailureJson)
    always = [name for name in plan["required"] if name in failed["required"]]
    more = [name for name in plan["required"] if name not in always]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://reconciler.example/schema/plan.schema.json",
        "title": "JSON plan of reconciler",
        "description": DESCRIPTION,
        "type": "object",
        "additionalProperties": False,
        "required": always,
        "if": {"properties": {"errored": {"const": True}}},
        "then": {"required": ["error"], "properties": {"error": True, "resource_changes": False}},
        "else": {"required": more, "properties": {**dict.fromkeys(more, True), "error": False}},
        "properties": {**plan["properties"], "error": failed["properties"]["error"]},
    }


def probe_schema() -> Node:
    """The schema of probe.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://reconciler.example/schema/probe.schema.json",
        **_whole(Report, report),
        "title": "Report of reconciler probe",
        "description": "What a probe of a HaloPSA found. No value of a customer, a user or the partner stands in it.",
    }


def proposals_schema() -> Node:
    """The schema of what `propose -o json` prints."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://reconciler.example/schema/proposals.schema.json",
        **_whole(ProposalsJson, proposals),
        "title": "Proposals of reconciler",
        "description": "The edits of mappings.yaml that both systems suggest. On failure: see plan.schema.json.",
    }


def proposals_schema_text() -> str:
    """The schema of proposals as its file has it."""
    return json.dumps(proposals_schema(), indent=2) + "\n"


def schema_text() -> str:
    """The plan's schema as its file has it."""
    return json.dumps(plan_schema(), indent=2) + "\n"


def probe_schema_text() -> str:
    """The schema of a probe's report as its file has it."""
    return json.dumps(probe_schema(), indent=2) + "\n"


def _whole(document: type, *modules: ModuleType) -> Node:
    schema = msgspec.json.schema(document)
    types = {name: kind for module in modules or (layout, write) for name, kind in vars(module).items()}
    whole: Node = _inlined(schema, {name: _in_order(types[name], node) for name, node in schema["$defs"].items()})
    return whole


def _in_order(kind: type, definition: Node) -> Node:
    """The definition with its members as the layout has them; msgspec sorts them by name."""
    if "properties" not in definition:
        return definition
    members = list(kind.__annotations__)
    return {
        **definition,
        "properties": {member: definition["properties"][member] for member in members},
        "required": [member for member in members if member in definition.get("required", [])],
    }


def _inlined(node: Any, known: Node) -> Any:
    """The node with the definitions that it refers to in their place, closed against unknown members."""
    if isinstance(node, list):
        return [_inlined(item, known) for item in node]
    if not isinstance(node, dict):
        return node
    members = dict(node)
    if "$ref" in members:
        members = {**known[members.pop("$ref").rpartition("/")[2]], **members}
        members.pop("title")
    match members.get("anyOf"):
        case [one, {"type": "null"}]:
            one = _inlined(one, known)
            del members["anyOf"]
            members = {**one, **members, "type": [one["type"], "null"]}
    if "properties" in members:
        members["additionalProperties"] = False
    return {
        name: {each: _inlined(member, known) for each, member in value.items()}
        if name == "properties"
        else _inlined(value, known)
        for name, value in members.items()
        if name != "$defs"
    }


if __name__ == "__main__":
    FILE.write_text(schema_text(), encoding="utf-8")
    PROBE_FILE.write_text(probe_schema_text(), encoding="utf-8")
    PROPOSALS_FILE.write_text(proposals_schema_text(), encoding="utf-8")
