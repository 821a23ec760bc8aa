"""Proposals as commits: one for each kind, each with a valid file, and no name that does harm in a message."""

from __future__ import annotations

import pytest

from reconciler.answers.proposals import ProposalKind
from reconciler.config import parse_mappings
from reconciler.forge.proposals import ProposedEdits, propose_edits
from tests.forge.proposed import HOSTILE, MAPPINGS, NOW, ended_approval, proposal


def edits(*proposals: object, text: str = MAPPINGS) -> ProposedEdits:
    return propose_edits(text, proposals, file="mappings.yaml", now=NOW)  # type: ignore[arg-type]


def test_each_kind_is_a_commit_in_the_order_in_which_it_is_told() -> None:
    made = edits(ended_approval(), proposal("infima-107"), proposal("infima-108", number=108, name="Heron"))
    assert [commit.subject for commit in made.commits] == [
        "Map 2 INFIMA clients",
        "Remove 1 approval whose last day is over",
    ]
    assert "- Map Gull Logistics" in made.commits[0].lines
    assert "  one active customer is called Gull Logistics" in made.commits[0].lines
    assert made.commits[-1].content.decode() == made.text
    assert [one.key for one in made.made] == ["infima-107", "infima-108", "approval-decrease-infima-102"]


def test_each_commit_leaves_a_valid_file_and_every_other_byte() -> None:
    for commit in edits(proposal("infima-107"), ended_approval()).commits:
        parse_mappings(commit.content, file="mappings.yaml", now=NOW)
        assert b"# since 2024" in commit.content


def test_one_that_cannot_be_made_does_not_stop_the_others() -> None:
    there_already = proposal("infima-102", number=102, name="Borealis Freight")
    made = edits(there_already, proposal("infima-107"))
    assert [one.key for one in made.made] == ["infima-107"]
    assert "problem" in made.left[there_already.fingerprint]


def test_a_layout_that_allows_no_edit_leaves_the_file_as_it_is() -> None:
    flow = '{version: 1, mappings: [{infima_client: {id: 1, name: "A"}, halo_customer: {id: 2, name: "B"}}]}\n'
    one = proposal("infima-107")
    made = edits(one, text=flow)
    if made.left:
        assert (made.commits, made.text) == ((), flow)
    else:
        parse_mappings(made.text, file="mappings.yaml", now=NOW)


def test_nothing_proposed_is_no_commit() -> None:
    assert edits() == ProposedEdits(commits=(), made=(), text=MAPPINGS)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_gets_out_of_its_line_in_the_message(name: str) -> None:
    (commit,) = edits(
        proposal("infima-107", title=f"Map {name} now", evidence=(name,), edit=proposal("x").edit)
    ).commits
    assert commit.subject == "Map 1 INFIMA client"
    assert len(commit.lines) == 2
    for line in commit.lines:
        assert line.isprintable() or "\u200b" in line
        assert "\n" not in line
        assert not line.startswith("Reconciler-Commit")
        for harm in ("[skip", "***", "#1", "@everyone", "GH-1", "!2", "://", "www.evil"):
            assert harm not in line


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_gets_out_of_its_place_in_the_file(name: str) -> None:
    made = edits(proposal("infima-107", name=name))
    if made.made:
        mappings = parse_mappings(made.text, file="mappings.yaml", now=NOW)
        assert [str(one.key) for one in mappings.mappings] == ["infima-102", "infima-107"]
    else:
        assert made.text == MAPPINGS


def test_a_message_about_a_thousand_clients_is_no_book() -> None:
    many = [proposal(f"infima-{n}", number=n, name=f"Client {n}") for n in range(1_000, 2_000)]
    (commit,) = edits(*many).commits
    assert commit.subject == "Map 1000 INFIMA clients"
    assert len(commit.lines) == 301
    assert commit.lines[-1] == "- and more: 1000 in all"


def test_every_kind_has_its_words() -> None:
    for kind in ProposalKind:
        (commit,) = edits(proposal("infima-107", kind=kind)).commits
        assert "1" in commit.subject
