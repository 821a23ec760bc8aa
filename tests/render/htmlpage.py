"""A page's elements as an HTML parser sees them, and pages to look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser

from reconciler.history.account import changes_by_key
from reconciler.history.months import month_of
from reconciler.history.timeline import draw_timeline
from reconciler.model import MappingKey
from reconciler.plan_document.layout import PlanJson
from reconciler.render.html import draw_report
from reconciler.render.html_time import Background, Name
from reconciler.state.history import PastRun
from tests.builders import NOW
from tests.core import build_info, build_line, build_verdict

KEYS = {f"infima-{number}": f"Customer {number}" for number in range(101, 109)}
VOID = {"meta", "input", "rect", "path", "circle", "br"}


@dataclass
class Seen(HTMLParser):
    """Every element with its attributes, in order, and the texts by the element that they stand in."""

    tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    comments: int = 0
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self._open[-1] if self._open else "", data.strip()))

    def handle_comment(self, data: str) -> None:
        self.comments += 1

    @property
    def skeleton(self) -> list[tuple[str, tuple[str, ...]]]:
        """Elements and the names of their attributes: what no foreign text may change."""
        return [(tag, tuple(name for name, _ in attrs)) for tag, attrs in self.tags]

    def text_of(self, tag: str) -> list[str]:
        """What stands directly in elements of this kind."""
        return [text for where, text in self.texts if where == tag]


def parse(page: str) -> Seen:
    """The page as a parser sees it."""
    seen = Seen()
    seen.feed(page)
    seen.close()
    return seen


def nights(
    names: dict[str, str],
    *,
    months: int = 3,
    every: int = 1,
    failed: int = 0,
    actor: str = "nightly",
    message: str = "",
) -> tuple[PastRun, ...]:
    """That many months of nights up to now in which one key after the other gains a user; `failed` days back failed."""
    keys, runs = sorted(names), []
    counts = dict.fromkeys(keys, 10)
    for index, back in enumerate(range(months * 30, -1, -1)):
        chosen = keys[index % len(keys) :: max(len(keys) // every, 1)]
        at, bad = NOW - timedelta(days=back), bool(failed) and back == failed
        lines = []
        for key in chosen if not bad else ():
            lines.append(build_line(counts[key], counts[key] + 1, key=key, message=message))
            counts[key] += 1
        total = sum(counts.values())
        sha256 = "a" if back > 20 else "b"
        info = build_info(f"run{index}", at, actor=actor, commit="0123456789abcdef", mappings_sha256=sha256)
        verdict = build_verdict(
            info.id, at, *lines, exit_code=1 if bad else 0, users=(0, 0) if bad else (total - len(lines), total),
            sentence=message or "Told by the run.",
        )  # fmt: skip
        runs.append(PastRun(info=info, verdict=verdict))
    return tuple(runs)


def background(runs: tuple[PastRun, ...] = (), names: dict[str, str] | None = None) -> Background:
    """What is known beside a plan, two hours after the night."""
    now = NOW + timedelta(hours=2)
    return Background(
        now=now,
        month=month_of(now),
        runs=runs,
        timeline=draw_timeline(runs, ()),
        names={MappingKey(key): Name(customer=name, clients=(name,)) for key, name in (names or {}).items()},
        by_key=changes_by_key(runs),
    )


def page_of(document: PlanJson | None, around: Background | None = None) -> str:
    """The report as HTML."""
    return draw_report(around or background(), document)
