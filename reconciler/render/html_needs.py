"""The cards of the report: what waits for a person, needs that say the same together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

from reconciler.plan_document.layout import NeedJson
from reconciler.render.document import capital
from reconciler.render.html_page import NeedCard, NeedLine, Tone
from reconciler.render.needs import WORDS, circumstances, details

_BAD = frozenset({"refused", "failed", "unknown", "record-missing", "overdue"})


def need_cards(needs: Sequence[NeedJson], today: date, rows: Mapping[str, int]) -> tuple[NeedCard, ...]:
    """The list as the report shows it: needs that say the same of several mappings are one card.

    `rows` are the page's rows by key.
    """
    alike: dict[tuple[str, str, str], list[NeedJson]] = {}
    for need in needs:
        what, step = _general(need)
        alike.setdefault((need["kind"], what, step), []).append(need)
    return tuple(
        _card(group[0], today, rows) if len(group) == 1 else _group_card(group, what, step, today, rows)
        for (_, what, step), group in alike.items()
    )


def _card(need: NeedJson, today: date, rows: Mapping[str, int]) -> NeedCard:
    return NeedCard(
        tone=_tone(need),
        who=need["who"],
        key=need["key"],
        what=need["what"],
        about=capital(circumstances(need, today)),
        step=need["step"],
        row=rows.get(need["key"]),
    )


def _group_card(group: Sequence[NeedJson], what: str, step: str, today: date, rows: Mapping[str, int]) -> NeedCard:
    since, users = details(group[0], today)[0], sum(need["users"] for need in group)
    together = all(details(need, today)[0] == since for need in group)
    return NeedCard(
        tone=_tone(group[0]),
        who=f"{capital(WORDS[group[0]['kind']])} ({len(group)})",
        key="",
        what=what,
        about=capital(", ".join(filter(None, (since if together else "", f"{users} users in all" if users else "")))),
        step=step,
        each=tuple(
            NeedLine(
                who=need["who"],
                key=need["key"],
                about=_line(need, today, since=not together),
                row=rows.get(need["key"]),
            )
            for need in group
        ),
    )


def _line(need: NeedJson, today: date, *, since: bool) -> str:
    """One need of several: its Subscription, since when, before which invoice and for how many users."""
    number = "" if need["subscription_id"] is None else f"Subscription {need['subscription_id']}"
    return ", ".join(filter(None, (number, *details(need, today)[0 if since else 1 :])))


def _tone(need: NeedJson) -> Tone:
    return Tone.BAD if need["kind"] in _BAD else Tone.CALL


def _general(need: NeedJson) -> tuple[str, str]:
    """What a need says and its next step without whose it is, where both hold for all such needs; else as they are."""
    what, step = need["what"], need["step"]
    if need["subscription_id"] is not None:
        number = f"Subscription {need['subscription_id']}"
        what, step = (text.replace(number, "the Subscription") for text in (what, step))
    customer = need["who"].rsplit(" -> ", maxsplit=1)[-1]
    step = step.replace(f"the recurring invoice of {customer},", "the customer's recurring invoice,")
    if need["key"]:
        step = step.replace(f" --only {need['key']}", "")
    if need["kind"] == "unmapped":
        what, step = re.sub(r" \([0-9]+ users?\)", "", what), re.sub(r"^(reconciler map) [0-9]+$", r"\1", step)
    if need["key"] and need["key"] in step:
        return need["what"], need["step"]  # a command with the wrong key would be worse than a second card
    return capital(what), step
