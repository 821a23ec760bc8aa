"""What the program promises beside its rivals, and whether the figures keep it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.measuring import Figures
from benchmarks.rivals.course import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One promise: the value is at most the bound; None where a row is missing."""

    words: str
    bound: float
    value: float | None

    @property
    def met(self) -> bool | None:
        """Whether it is kept."""
        return None if self.value is None else self.value <= self.bound

    def told(self) -> str:
        """The promise and the figure as one line."""
        verdict = {True: "met", False: "missed", None: "not measured"}[self.met]
        return f"- {verdict}: {self.words}" + (f" (measured: 1/{1 / self.value:.1f})" if self.value else "")


SHARES = (
    ("plan takes at most 1/8 of the time of Terraform with literal blocks, 50 ms", 1 / 8, "wall", "terraform", 50),
    ("plan takes at most 1/12 of the time of Terraform with for_each, 50 ms", 1 / 12, "wall", "terraform-for-each", 50),
    ("plan makes at most 1/30 of the requests of Terraform with literal blocks", 1 / 30, "requests", "terraform", 50),
)
"""What a plan promises: in words, the bound, of what, beside whom, and at how many ms a request."""


def targets(rows: Sequence[Row]) -> list[Target]:
    """All promises, held against these rows."""
    known = {(row.rival.name, row.job, row.latency): row.figures for row in rows}
    return [
        Target(
            words=words, bound=bound, value=_share(known, what, ("program", "plan", latency), (rival, "plan", latency))
        )
        for words, bound, what, rival, latency in SHARES
    ]


Key = tuple[str, str, int]


def _share(known: Mapping[Key, Figures], what: str, mine: Key, theirs: Key) -> float | None:
    if mine not in known or theirs not in known:
        return None
    return amount(known[mine], what) / amount(known[theirs], what)


def amount(figures: Figures, what: str) -> float:
    """Wall and CPU in seconds, or the number of requests."""
    return {"wall": figures.wall, "cpu": figures.cpu, "requests": float(sum(figures.requests.values()))}[what]
