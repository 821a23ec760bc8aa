"""What people are told where they are: verdict, what waits for a person, a link; short, in the markup that is wanted.

Names in it were chosen by somebody else. They go through the markup's `plain` like every other text, so that none can
format, link or mention.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

from reconciler.forge.result import Result, Verdict
from reconciler.forge.words import Occasion, Origin, lead
from reconciler.plan_document.layout import NeedJson
from reconciler.render.needs import WORDS, circumstances, in_all
from reconciler.render.text import commonmark_safe, html_message_safe, message_safe

_PROSE = 1_000
"""Characters of one text that are told."""

_NAMES = 10
"""So many of what waits no longer are named."""

_SUBJECT = {Occasion.NIGHT: "Nightly reconciliation", Occasion.APPLIED: "Reconciliation after an edit"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Markup:
    """How a service wants its text. `plain` takes a text and how many characters of it are told."""

    plain: Callable[[str, int], str]
    strong: Callable[[str], str]
    link: Callable[[str, str], str]
    line_end: str
    gap: str


TEXT = Markup(
    plain=message_safe,
    strong=lambda text: text,
    link=lambda words, url: f"{words}: {url}",
    line_end="\n",
    gap="\n\n",
)
MARKDOWN = Markup(
    plain=commonmark_safe,
    strong=lambda text: f"**{text}**",
    link=lambda words, url: f"[{words}]({url})",
    line_end="  \n",
    gap="\n\n",
)
HTML = Markup(
    plain=html_message_safe,
    strong=lambda text: f"<b>{text}</b>",
    link=lambda words, url: f'<a href="{escape(url)}">{words}</a>',
    line_end="<br/>\n",
    gap="<br/>\n<br/>\n",
)


def is_told(result: Result) -> bool:
    """True where something waits for a person, or did and is right again."""
    return bool(result.attention or result.met)


def title(result: Result, occasion: Occasion, instance: str = "") -> str:
    """The subject: which run, of which instance of many, how it ended, how much waits. It names no customer."""
    ended = "right again" if result.verdict is Verdict.CLEAN and result.met and not result.attention else result.verdict
    of_many = f" ({message_safe(instance)})" if instance else ""
    return f"{_SUBJECT[occasion]}{of_many}: {ended}, {in_all(result.attention)}"


def urgency(result: Result) -> str:
    """How urgent it is, in apprise's words: most services show a colour for it."""
    if not result.verdict.came_to_its_end:
        return "failure"
    if result.attention:
        return "warning"
    return "success" if result.met else "info"


def body(result: Result, occasion: Occasion, where: Origin, markup: Markup, *, limit: int) -> str:
    """The text in at most `limit` characters: what is due first is kept, what does not fit is counted."""
    told = [*_error(result, markup), *(_need(need, where.now.date(), markup) for need in result.needs)]
    bottom = markup.link("The run", where.run_url) if where.run_url else ""
    top, right = markup.plain(lead(result, occasion), _PROSE), _right_again(result.met, markup)
    for above, below in ((top, right), (top, ""), ("", "")):

        def text(kept: int, above: str = above, below: str = below) -> str:
            return markup.gap.join(filter(None, [above, *told[:kept], _more(len(told) - kept), below, bottom]))

        if len(text(0)) <= limit:
            return text(bisect_right(range(1, len(told) + 1), limit, key=lambda kept: len(text(kept))))
    return in_all(result.attention)[:limit]


def _more(number: int) -> str:
    return f"{number} more: see the run." if number else ""


def _need(need: NeedJson, today: date, markup: Markup) -> str:
    key = f" ({markup.plain(need['key'], _PROSE)})" if need["key"] else ""
    who = markup.strong(markup.plain(need["who"], _PROSE))
    about = markup.plain(circumstances(need, today), _PROSE)
    lines = [f"{who}{key}: {about}", markup.plain(need["what"], _PROSE), f"To do: {markup.plain(need['step'], _PROSE)}"]
    return markup.line_end.join(lines)


def _error(result: Result, markup: Markup) -> Iterator[str]:
    """The error of a run that has no list of its own to stand in."""
    if result.error is not None and not result.needs:
        lines = [markup.strong(markup.plain(" ".join(result.error.message.split()), _PROSE))]
        lines += [markup.plain(problem, _PROSE) for problem in result.error.problems[:_NAMES]]
        lines += [f"To do: {markup.plain(result.error.hint, _PROSE)}"] if result.error.hint else []
        yield markup.line_end.join(lines)


def _right_again(met: Sequence[NeedJson], markup: Markup) -> str:
    names = [f"{markup.plain(need['who'], _PROSE)} ({WORDS[need['kind']]})" for need in met[:_NAMES]]
    rest = f" and {len(met) - _NAMES} more" if len(met) > _NAMES else ""
    return f"Waits no longer: {', '.join(names)}{rest}." if met else ""
