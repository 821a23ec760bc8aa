"""Terraform with a provider made for the purpose, one GET for each Subscription that it refreshes.

The provider is built from `terraform-provider-halo/` on the Go libraries that Debian packages, without a network.
Terraform is told by `dev_overrides` where it lies, so there is no `init`. The state holds every Subscription already.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measuring import pages
from benchmarks.rivals.kinds import Ground, Missing, Rival, Subscription

SOURCE = Path(__file__).parent / "terraform-provider-halo"
ADDRESS = "benchmarks.invalid/rivals/halo"
GO_LIBRARIES = "/usr/share/gocode"
"""Where Debian's golang-*-dev packages put their sources."""

REQUIRED = f'terraform {{\n  required_providers {{\n    halo = {{\n      source = "{ADDRESS}"\n    }}\n  }}\n}}\n'
LIST_ONCE = 'provider "halo" {\n  list_once = true\n}\n'
FOR_EACH = """
locals {
  clients = { for each in yamldecode(file("mappings.yaml")).mappings : tostring(each.infima_client.id) => VALUE }
}

data "halo_infima_clients" "all" {}

resource "halo_subscription" "client" {
  for_each    = local.clients
  customer_id = CUSTOMER
  name        = "NAME"
  marker      = "infima-${each.key}"
  quantity    = data.halo_infima_clients.all.counts[each.key]
}
"""
LEAN = {"VALUE": "each.halo_customer.id", "CUSTOMER": "each.value"}
WHOLE = {"VALUE": "each", "CUSTOMER": "each.value.halo_customer.id"}
"""What for_each carries for each client: a number, or the whole mapping, which takes Terraform far longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One way to write the configuration."""

    name: str
    label: str
    for_each: Mapping[str, str] = field(default_factory=dict)
    list_once: bool = False
    optional: bool = False


SHAPES = (
    Shape(name="terraform", label="Terraform, literal blocks"),
    Shape(name="terraform-for-each", label="Terraform, for_each and data source", for_each=LEAN),
    Shape(
        name="terraform-for-each-whole",
        label="Terraform, for_each over whole mappings and data source",
        for_each=WHOLE,
        optional=True,
    ),
    Shape(name="terraform-list-once", label="Terraform, literal, provider lists once", list_once=True),
)


def terraform(cache: Path) -> Iterator[Rival | Missing]:
    """Make the Terraform rows, or say of each why it cannot be had."""
    reason = _absent() or _build(cache)
    for shape in SHAPES:
        yield Missing(label=shape.label, reason=reason) if reason else _rival(shape, cache)


def version() -> str:
    """Terraform's own word for its version; empty without Terraform."""
    if shutil.which("terraform") is None:
        return ""
    environment = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull}
    told = _run(["terraform", "version", "-json"], environment)
    return str(json.loads(told.stdout)["terraform_version"]) if told.returncode == 0 else ""


def _absent() -> str:
    for program in ("terraform", "go"):
        if shutil.which(program) is None:
            return f"no `{program}` on this machine"
    return ""


def _build(cache: Path) -> str:
    """Build the provider, and return why that failed, if it did."""
    binary = cache / "provider" / "terraform-provider-halo"
    settings = {
        "GO111MODULE": "off",
        "GOPATH": GO_LIBRARIES,
        "GOCACHE": str(cache / "go-build"),
        "CGO_ENABLED": "0",
        "GOFLAGS": "-trimpath",
    }
    command = ["go", "build", "-ldflags", "-s -w", "-o", str(binary), "."]
    built = _run(command, {**os.environ, **settings}, folder=SOURCE)
    if built.returncode:
        lines = built.stderr.strip().splitlines() or [f"exit code {built.returncode}"]
        return f"the provider cannot be built: {lines[0]}"
    text = (
        f'provider_installation {{\n  dev_overrides {{\n    "{ADDRESS}" = "{binary.parent}"\n  }}\n  direct {{}}\n}}\n'
    )
    (cache / "terraform.rc").write_text(text, encoding="utf-8")
    return ""


def _run(
    command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - fixed words
        command, cwd=folder, env=dict(environment), capture_output=True, text=True, check=False
    )


def _rival(shape: Shape, cache: Path) -> Rival:
    def prepare(folder: Path, ground: Ground) -> None:
        text = REQUIRED + (LIST_ONCE if shape.list_once else "")
        if shape.for_each:
            text += _for_each(shape, ground.subscriptions[0].name)
            (folder / "mappings.yaml").write_text(ground.mappings["client_record"], encoding="utf-8")
        else:
            text += "".join(map(_block, ground.subscriptions))
        (folder / "main.tf").write_text(text, encoding="utf-8")
        (folder / "before.json").write_text(_state(shape, ground.subscriptions), encoding="utf-8")

    def reset(folder: Path) -> None:
        shutil.copyfile(folder / "before.json", folder / "terraform.tfstate")

    words = {"plan": ["plan"], "apply": ["apply", "-auto-approve"]}
    return Rival(
        name=shape.name,
        label=shape.label,
        command=lambda job: ["terraform", *words[job], "-input=false", "-no-color"],
        prepare=prepare,
        reset=reset,
        requests=lambda ground: _requests(shape, ground),
        environment={"TF_CLI_CONFIG_FILE": str(cache / "terraform.rc"), "CHECKPOINT_DISABLE": "1"},
        optional=shape.optional,
    )


def _for_each(shape: Shape, name: str) -> str:
    text = FOR_EACH
    for word, meaning in {**shape.for_each, "NAME": name}.items():
        text = text.replace(word, meaning)
    return text


def _block(each: Subscription) -> str:
    return (
        f'\nresource "halo_subscription" "client_{each.client}" {{\n'
        f'  customer_id = {each.customer}\n  name        = "{each.name}"\n'
        f'  marker      = "{each.marker}"\n  quantity    = {each.due}\n}}\n'
    )


def _state(shape: Shape, subscriptions: Sequence[Subscription]) -> str:
    """Terraform's state file, version 4, with what HaloPSA holds."""
    kept = {"mode": "managed", "type": "halo_subscription", "provider": f'provider["{ADDRESS}"]'}
    instances = [(each, _instance(each)) for each in subscriptions]
    if shape.for_each:
        keyed = [{"index_key": str(each.client), **instance} for each, instance in instances]
        resources: list[dict[str, Any]] = [{**kept, "name": "client", "instances": keyed}]
    else:
        resources = [{**kept, "name": f"client_{each.client}", "instances": [one]} for each, one in instances]
    head = {"version": 4, "terraform_version": "1.0.0", "serial": 1, "lineage": "measured", "outputs": {}}
    return json.dumps({**head, "resources": resources, "check_results": None}, indent=2)


def _instance(each: Subscription) -> dict[str, Any]:
    attributes = {
        "customer_id": each.customer,
        "id": each.licence,
        "marker": each.marker,
        "name": each.name,
        "quantity": each.count,
    }
    return {"schema_version": 0, "attributes": attributes, "sensitive_attributes": []}


def _requests(shape: Shape, ground: Ground) -> Mapping[str, int]:
    """What it asks for; an apply starts the provider a second time, which asks for a second token."""
    number, applies = len(ground.subscriptions), ground.job == "apply"
    wanted = {"halo.token": 2 if applies else 1}
    wanted |= {"halo.licences": pages(number, 1_000)} if shape.list_once else {"halo.licence": number}
    if shape.for_each:
        wanted["infima.clients"] = pages(number, 50)
    if applies:
        wanted["halo.write"] = ground.changed
    return wanted
