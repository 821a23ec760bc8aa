"""O1 to O3: one input, one plan, byte for byte; order, pages, shapes and other mappings do not matter."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from reconciler.plan_document import dump_document, plan_document
from reconciler.simulator.records import Row
from reconciler.simulator.switches import Switches
from tests.torture.contracts import Contract, random_scene
from tests.torture.sweep import Result, workplace
from tests.torture.theatre import Theatre, deterministic

SHAPES: dict[str, tuple[object, ...]] = {
    "page_ceiling": (1, 2, 3),
    "order": ("by_name",),
    "record_count": ("absent",),
    "total": ("absent",),
    "count_shape": ("float",),
    "status_spelling": ("capital", "upper"),
    "unknown_members": (True,),
}
"""What a server may do otherwise without meaning anything else by it."""


def shaped(rng: Random) -> Switches:
    """A server of another shape."""
    names = rng.sample(sorted(SHAPES), rng.randint(1, 3))
    return replace(Switches(), **{name: rng.choice(SHAPES[name]) for name in names})  # type: ignore[arg-type]


def _unlike(switches: Switches) -> dict[str, object]:
    plain = Switches().to_json()
    return {name: value for name, value in switches.to_json().items() if value != plain[name]}


def drawn(seed: int, switches: Switches, keep: Sequence[int] | None = None) -> Row:
    """The plan of the seed's scene as a document, but for the file's hash and the places in it: they name the file.

    `keep` are the mappings of the file, by their place in the scene, in the order in which they are written.
    """
    plain = random_scene(Random(seed), Switches())  # noqa: S311 - has to repeat
    plain.world.switches = switches
    contracts: tuple[Contract, ...] = plain.contracts
    scene = replace(plain, contracts=contracts if keep is None else tuple(contracts[n] for n in keep))
    folder = workplace()
    theatre = Theatre(scene, folder)
    try:
        with deterministic(theatre):
            plan = theatre.plan()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    document = plan_document(replace(plan, mappings_sha256="00" * 32), version="0")
    document["warnings"] = [warning.replace(str(folder), "") for warning in document["warnings"]]
    for row in document["resource_changes"]:
        row.pop("place", None)
    return document


def play_plan(seed: int) -> Result:
    """One scene, planned again on a server of another shape, from a file in another order, and from a shorter file."""
    rng = Random(f"{seed} plan")  # noqa: S311 - has to repeat
    plain = drawn(seed, Switches())
    rows = plain["resource_changes"]
    order = list(range(len(rows)))
    rng.shuffle(order)
    gone = rng.randrange(len(rows))
    wrong = []
    if dump_document(drawn(seed, Switches())) != dump_document(plain):
        wrong.append("o1_same_plan: the same input gave another plan")
    other = shaped(rng)
    if dump_document(drawn(seed, other)) != dump_document(plain):
        wrong.append(f"o2_order: a server of another shape gave another plan: {_unlike(other)}")
    if dump_document(drawn(seed, Switches(), order)) != dump_document(plain):
        wrong.append(f"o2_order: the file in the order {order} gave another plan")
    names = sorted(row["name"] for row in rows)
    scene = random_scene(Random(seed), Switches())  # noqa: S311 - has to repeat
    left = [n for n, contract in enumerate(scene.contracts) if contract.key != names[gone]]
    if drawn(seed, Switches(), left)["resource_changes"] != [row for row in rows if row["name"] != names[gone]]:
        wrong.append(f"o3_other_rows: without {names[gone]} the other rows are not what they were")
    return Result(what=f"plan {seed}", violations=wrong, reached={"plan"})
