"""The text of the pull request: complete, true, harmless whatever a name holds, never longer than permitted."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reconciler.answers.proposals import Confidence, ProposalKind
from reconciler.config import parse_mappings
from reconciler.forge.proposals import Proposed, ProposedEdits, body, one_line, propose_edits, title
from reconciler.forge.words import COMMENT_LIMIT, Origin
from reconciler.state.recorded import Fate, Offer
from tests.forge.proposed import HOSTILE, MAPPINGS, NOW, ask, ended_approval, proposal
from tests.render import stories

WHERE = Origin(run_url="https://github.example.com/acme/billing/actions/runs/7", now=NOW)
GULL, HERON = proposal("infima-107"), proposal("infima-108", number=108, name="Heron")
DECLINED = Offer(key="infima-108", title="Map Heron", fate=Fate.DECLINED, since=NOW, where="pull request 12")
PLAN = stories.document(stories.against_plan())
TOLD = Proposed(made=(GULL,), asked=(), document=PLAN)


def text(told: Proposed, limit: int = COMMENT_LIMIT) -> str:
    return body(told, WHERE, limit=limit)


def test_the_table_says_who_why_how_many_and_what_tonight_would_write() -> None:
    row = (
        "| Gull Logistics (107) | Gull Logistics (41) | One active customer is called Gull Logistics. | 12 | "
        "a new Subscription with 12 users |"
    )
    assert row in text(TOLD)
    assert "**Map 1 INFIMA client:**" in text(TOLD)
    assert title(TOLD) == "mappings.yaml: 1 proposed edit"


def test_it_says_what_merging_does_and_how_to_decline() -> None:
    told = text(TOLD)
    assert "Nothing has been written to HaloPSA. Merging it changes 2 quantities" in told
    assert "**To decline**, close it: nothing of it is proposed again." in told


def test_the_plan_of_the_branch_stands_last() -> None:
    told = text(replace(TOLD, asked=(ask("infima-109"),)))
    assert told.index("| Gull Logistics") < told.index("### 1 thing needs a person")
    assert told.index("### 1 thing needs a person") < told.index("## What tonight's run would do with this branch")


def test_what_is_only_likely_says_so() -> None:
    assert "| **likely**: One active" in text(replace(TOLD, made=(replace(GULL, confidence=Confidence.LIKELY),)))


def test_what_needs_a_person_has_its_command() -> None:
    told = text(replace(TOLD, asked=(ask("infima-109"), ask("infima-110"))))
    assert "### 2 things need a person" in told
    assert "- Which customer is infima-109? One active customer" in told
    assert "  - To do: `reconciler propose --write infima-109`" in told


def test_another_command_works_when_it_is_pasted_and_no_name_makes_one() -> None:
    """A command in running text would end with the sentence's full stop."""
    named = "INFIMA lists x: reconciler map 1 --customer 2 --key y (7), 3 active users."
    other = "For a second one: reconciler map 107 --customer 41 --key infima-107"
    said = text(replace(TOLD, asked=(ask("map-107", evidence=(named, other)),)))
    assert "\n  - For a second one: `reconciler map 107 --customer 41 --key infima-107`" in said
    assert said.count("`reconciler map 107 --customer") == 1
    assert "`reconciler map 1 " not in said


def test_what_could_not_be_edited_says_why() -> None:
    told = text(replace(TOLD, made=(), asked=(HERON,), left={HERON.fingerprint: "the file's layout does not allow it"}))
    assert "The edit could not be made here: the file's layout does not allow it" in told


def test_declined_ones_are_listed_with_the_way_back() -> None:
    told = text(replace(TOLD, declined=((HERON, DECLINED),), state="git:reconciler-state"))
    assert "<summary>1 declined</summary>" in told
    assert "Map Heron: 22 Nov 2026, pull request 12. Again: `reconciler propose --again infima-108 --state git:" in told


def test_a_branch_that_people_edited_is_said_to_be_left_alone() -> None:
    told = text(replace(TOLD, people=("0123456789 by Jane: An edit",), waiting=(HERON,)))
    assert "the program leaves it alone" in told
    assert "by Jane: An edit" in told
    assert told.index("Suggested since people worked on this branch") < told.index("Heron (108)")


def test_a_broken_file_on_that_branch_is_said_to_be_broken() -> None:
    assert "is not in order" in text(replace(TOLD, people=("1 by Jane: An edit",), document=None))


def test_nothing_left_says_so() -> None:
    nothing = replace(TOLD, made=(), document=None)
    assert title(nothing) == "mappings.yaml: nothing is proposed any more"
    assert "Nobody has to do anything." in text(nothing)
    assert "Nobody has to do anything." not in text(replace(nothing, asked=(ask("infima-109"),)))


def test_a_state_that_dies_with_the_job_is_told() -> None:
    assert "What is declined here is not remembered" in text(replace(TOLD, remembers=False))


def test_what_is_about_nobodys_number_has_none() -> None:
    assert "| - | nothing |" in text(replace(TOLD, made=(ended_approval(),)))


def test_unknown_numbers_are_a_question_mark() -> None:
    assert "| - | - | Remove the approval of decrease for infima-102." in text(replace(TOLD, made=(ended_approval(),)))
    assert "| ? | a new Subscription" in text(replace(TOLD, made=(replace(GULL, users=None),)))


@pytest.mark.parametrize("limit", [COMMENT_LIMIT, 30_000])
def test_a_thousand_proposals_fit(limit: int) -> None:
    many = tuple(proposal(f"infima-{n}", number=n, name=f"Client {n} " + "x" * 60) for n in range(1_000))
    told = text(replace(TOLD, made=many, asked=many, declined=tuple((one, DECLINED) for one in many)), limit)
    assert len(told) <= limit
    assert re.search(
        r"_Left out for want of space: \d+ edits of the kind new-mapping, \d+ things that need a person", told
    )
    assert "## What tonight's run would do with this branch" in told
    assert told.count("<details>") == told.count("</details>")


def shape(text: str) -> list[str]:
    """Of each line what makes cells and tags; characters that are written as entities make none."""
    return [re.sub(r"[^|<>]", "", re.sub(r"&#?\w+;", "", line)) for line in text.splitlines()]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leaves_its_cell(name: str) -> None:
    bad = proposal(
        "infima-107", name="Gull", client=name, customer=name, title=name, evidence=(name,), tonight=name, command=name
    )
    offer = replace(DECLINED, title=name, where=name, key=name)
    calm = proposal(
        "infima-107", name="Gull", client="n", customer="n", title="n", evidence=("n",), tonight="n", command="n"
    )
    told = text(replace(TOLD, made=(bad,), asked=(bad,), declined=((bad, offer),), people=(name,), waiting=(bad,)))
    safe = text(
        replace(
            TOLD, made=(calm,), asked=(calm,), declined=((calm, replace(offer, title="n", where="n", key="n")),),
            people=("n",), waiting=(calm,),
        )
    )  # fmt: skip
    assert shape(told) == shape(safe)
    for harm in ("@everyone", "fixes #1", "<b>", "<!--", "http://evil", "\u202e"):
        assert harm not in re.sub(r"`[^`]*`", "", told), "a code span links to nothing"


def test_a_single_line_tells_what_it_is_and_where_the_rest_stands() -> None:
    line = one_line(replace(TOLD, asked=(ask("infima-109"),)), "https://gitlab.example.com/acme/billing/-/jobs/7")
    assert line == (
        "1 edit of mappings.yaml that INFIMA and HaloPSA suggest. 1 thing needs a person besides. The evidence and the "
        "plan: https://gitlab.example.com/acme/billing/-/jobs/7"
    )


# ---- the commits: one for each kind, each with a valid file, no name that does harm in a message --------------------


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
