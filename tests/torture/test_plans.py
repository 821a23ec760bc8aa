"""O1 to O3: the same input gives the same plan, byte for byte; order, pages and other mappings do not matter."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.plan_document import dump_document, plan_document
from reconciler.simulator.switches import Switches
from tests.torture.contracts import six_mappings
from tests.torture.sweep import workplace
from tests.torture.theatre import Theatre, deterministic


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = workplace()
    yield folder
    shutil.rmtree(folder)


def drawn(folder: Path, switches: Switches, *, reverse: bool = False, without: str = "") -> str:
    """The plan document, but for the file's hash and the places in it: they name the file, not what is planned."""
    scene = six_mappings(switches)
    kept = [c for c in scene.contracts if c.key != without]
    scene = replace(scene, contracts=tuple(reversed(kept) if reverse else kept))
    theatre = Theatre(scene, folder)
    with deterministic(theatre):
        plan = theatre.plan()
    document = plan_document(replace(plan, mappings_sha256="00" * 32), version="0")
    for row in document["resource_changes"]:
        row.pop("place", None)
    return dump_document(document)


VARIANTS = (
    Switches(page_ceiling=2),
    Switches(order="by_name"),
    Switches(record_count="absent"),
    Switches(total="absent"),
    Switches(count_shape="float"),
    Switches(status_spelling="capital"),
    Switches(unknown_members=True),
)


@pytest.mark.parametrize("switches", VARIANTS, ids=range(len(VARIANTS)))
def test_pages_order_and_shapes_do_not_matter(folder: Path, switches: Switches) -> None:
    assert drawn(folder, switches) == drawn(folder, Switches())


def test_the_order_of_mappings_does_not_matter(folder: Path) -> None:
    assert drawn(folder, Switches(), reverse=True) == drawn(folder, Switches())


def test_removing_a_mapping_leaves_the_other_rows_as_they_were(folder: Path) -> None:
    whole = json.loads(drawn(folder, Switches()))["resource_changes"]
    rest = json.loads(drawn(folder, Switches(), without="infima-103"))["resource_changes"]
    assert [row for row in whole if row["name"] != "infima-103"] == rest
