"""Proposals on a terminal: safe, in groups, and with commands that can be pasted."""

from __future__ import annotations

from reconciler.render.pen import Pen
from reconciler.render.proposals import NOTHING, ConfidenceName, ProposalJson, ProposalsJson, render_proposals


def proposal(key: str, confidence: ConfidenceName, *, title: str = "Map it", written: bool = False) -> ProposalJson:
    return ProposalJson(
        key=key,
        kind="new-mapping",
        confidence=confidence,
        client="Acme (1)",
        customer="Acme (2)",
        title=title,
        evidence=["INFIMA lists Acme (1), 3 active users; no mapping has it."],
        users=3,
        tonight="nothing",
        command=f"reconciler propose --write {key}",
        editable=True,
        written=written,
        fingerprint="ab",
    )


def drawn(*proposals: ProposalJson, declined: tuple[ProposalJson, ...] = (), width: int = 100) -> str:
    document = ProposalsJson(
        format_version="1.0",
        reconciler_version="0",
        taken_at="2026-11-22T05:17:03Z",
        proposals=list(proposals),
        declined=list(declined),
    )
    return render_proposals(document, Pen(width=width))


def test_they_stand_in_groups_the_surest_first() -> None:
    text = drawn(proposal("b", "ask"), proposal("a", "sure", written=True), declined=(proposal("c", "likely"),))
    assert text.splitlines() == [
        "Sure (1): written.",
        "",
        "  a  Map it",
        "",
        "Ask (1): only a person can say.",
        "",
        "  b  Map it",
        "    - INFIMA lists Acme (1), 3 active users; no mapping has it.",
        "    Tonight: nothing",
        "    Next: reconciler propose --write b",
        "",
        "Declined (1): not proposed again while they say the same.",
        "  c  Map it",
        "    Back with: reconciler propose --again c",
    ]


def test_nothing_is_a_sentence() -> None:
    assert drawn() == NOTHING


def test_a_command_is_never_broken() -> None:
    key = "name-a-very-long-key-of-a-mapping-client-101"
    assert f"    Next: reconciler propose --write {key}" in drawn(proposal(key, "ask"), width=40).splitlines()


def test_foreign_names_do_nothing_to_the_terminal() -> None:
    text = drawn(proposal("a", "ask", title="Map \x1b[31m::error::\nred\u202e to it"))
    assert not {"\x1b", "\u202e"} & set(text)
    assert len(text.splitlines()) == 6
