"""The whole campaign, or a part of it: `python -m tests.torture.campaign [PART ...] [--scale N] [--seed N]`.

Prints every figure with what reproduces it, and ends with 1 where anything was violated or a planted bug was missed.
"""

from __future__ import annotations

import argparse
import compileall
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import reconciler
from tests.torture import backtest, processes, window
from tests.torture.hunt import hunt
from tests.torture.people import play_history
from tests.torture.plans import play_plan
from tests.torture.planted import ABOUT_TWINS, ALL, Bug
from tests.torture.schedules import play_schedule
from tests.torture.sweep import Result, play, sampled_pairs, single_faults

Part = Callable[["Campaign"], None]


class Campaign:
    """Runs parts on a pool and keeps the figures."""

    def __init__(self, *, seed: int, scale: float, workers: int) -> None:
        self.seed = seed
        self.scale = scale
        self.workers = workers
        self.part = ""
        self.figures: dict[str, Any] = {}
        self.wrong: list[str] = []

    def number(self, whole: int) -> int:
        """As many as the scale leaves of a whole campaign's."""
        return max(1, round(whole * self.scale))

    def play(self, name: str, one: Callable[[Any], Result], work: Iterable[Any]) -> None:
        """Play schedules side by side and count what they reached."""
        items, began = list(work), time.monotonic()
        reached: Counter[str] = Counter()
        violated = 0
        with Pool(self.workers) as pool:
            for result in pool.imap_unordered(one, items, chunksize=4):
                reached.update(result.reached)
                violated += bool(result.violations)
                if result.violations:
                    self.wrong.append(f"{name}: {result.what}: {'; '.join(result.violations[:3])}")
        self.report(
            name, schedules=len(items), violated=violated, seconds=round(time.monotonic() - began), **dict(reached)
        )

    def report(self, name: str, **figures: Any) -> None:
        """Print one part's figures and keep them."""
        self.figures[name] = {"part": self.part, "seed": self.seed, "scale": self.scale, **figures}
        print(f"{name} (seed {self.seed}):")  # noqa: T201
        for word, value in figures.items():
            print(f"  {word}: {value}")  # noqa: T201
        sys.stdout.flush()


def singles(c: Campaign) -> None:
    """Every single fault at every request."""
    faults = single_faults()
    step = max(1, round(1 / c.scale))
    c.play("single faults", _play_list, [[f] for f in faults[::step]])


def pairs(c: Campaign) -> None:
    """Sampled pairs of faults."""
    c.play("pairs of faults", _play_list, sampled_pairs(c.number(5_000), c.seed))


def plans(c: Campaign) -> None:
    """Plans of one world under other orders, pages, shapes and files."""
    first = c.seed * 1_000_000
    c.play("plans held together", play_plan, range(first, first + c.number(1_000)))


def schedules(c: Campaign) -> None:
    """Random schedules."""
    first = c.seed * 1_000_000
    c.play("random schedules", play_schedule, range(first, first + c.number(10_000)))


def people(c: Campaign) -> None:
    """Histories of people: adopt, rename, swap, move and lose the state, name a wrong one, map twice, give up."""
    first = c.seed * 1_000_000
    c.play("histories of people", play_history, range(first, first + c.number(10_000)))


def bugs(c: Campaign) -> None:
    """Planted bugs: found or not, and how soon."""
    _hunted(c, "planted bugs", "schedules", [bug for bug in ALL if bug not in ABOUT_TWINS])


def twins(c: Campaign) -> None:
    """Planted bugs about twins, strangers and lost memory: how many histories of people find each."""
    _hunted(c, "planted bugs about twins", "histories", list(ABOUT_TWINS))


def _hunted(c: Campaign, title: str, what: str, planted: list[Bug]) -> None:
    began, found, spoke = time.monotonic(), {}, Counter[str]()
    with Pool(c.workers) as pool:
        for name, number, oracles in pool.imap_unordered(_hunt, [(ALL.index(bug), c.seed) for bug in planted]):
            found[name] = number
            spoke.update(oracles)
            if number is None:
                c.wrong.append(f"planted bug not found: {name}")
    numbers = [n for n in found.values() if n is not None]
    c.report(
        title,
        planted=len(planted),
        found=len(numbers),
        **{
            f"median_{what}": statistics.median(numbers) if numbers else None,
            f"most_{what}": max(numbers, default=None),
            "seconds": round(time.monotonic() - began),
            what: {name: found[name] for name in sorted(found)},
        },
        oracles=dict(spoke.most_common()),
    )


def kills(c: Campaign) -> None:
    """kill -9 at every system call of a real process, before it and half way through a write."""
    shop = processes.Workshop()
    points = shop.points()
    shop.close()
    step = max(1, round(1 / c.scale))
    places = range(1, len(points) + 1, step)
    halves = [n for n in places if points[n - 1] in {"write", "send"}]
    c.play("killed at a system call", _one, [(n, "kill", 0.0) for n in places] + [(n, "half", 0.0) for n in halves])


def moments(c: Campaign) -> None:
    """kill -9 at random moments of a real process's life."""
    shop = processes.Workshop()
    usual = shop.working_seconds()
    shop.close()
    delays = processes.random_delays(c.number(1_000), c.seed, usual)
    c.play("killed at a random moment", _one, [(0, "kill", d) for d in delays])


def disks(c: Campaign) -> None:
    """A full disk and a broken one at every write, fsync and rename."""
    shop = processes.Workshop()
    calls = [p for p in shop.points() if p in {"write", "fsync", "rename"}]
    shop.close()
    step = max(1, round(1 / c.scale))
    work = [(n, errno, 0.0) for n in range(1, len(calls) + 1, step) for errno in ("28", "5")]
    c.play("disk full or broken at a system call", _one, work)


def signals(c: Campaign) -> None:
    """SIGINT and SIGTERM, 200 of them, spread over the system calls of a run."""
    shop = processes.Workshop()
    points = len(shop.points())
    shop.close()
    number = c.number(200)
    work = [(1 + n * (points - 1) // max(1, number - 1), ("interrupt", "terminate")[n % 2], 0.0) for n in range(number)]
    c.play("interrupted at a system call", _one, work)


def races(c: Campaign) -> None:
    """Two and three real processes at once on one state."""
    c.play("real processes at once", processes.together, [2 + n % 2 for n in range(c.number(200))])


def source(c: Campaign) -> None:
    """The rules about the source on outages and ordinary months."""
    bad = backtest.outages(c.number(10_000), c.seed)
    c.report(
        "partial outages",
        played=dict(bad.played), refused=dict(bad.stopped), wrote_a_lower_number=dict(bad.bad),
        worst_users=bad.worst_users, worst_percent_of_all_users=bad.worst_percent,
    )  # fmt: skip
    if set(bad.bad) - {"some halved"}:
        c.wrong.append(f"partial outages: {bad.examples[:3]}")
    two = backtest.outages(c.number(10_000), c.seed, nights=2)
    c.report("partial outages, decrease_nights 2", played=two.played.total(), wrote_a_lower_number=two.bad.total())
    if two.bad:
        c.wrong.append(f"partial outages, decrease_nights 2: {two.examples[:3]}")
    for name, limits in backtest.LIMITS.items():
        nights = backtest.ordinary_nights(c.number(1_000), c.seed, limits=limits)
        c.report(
            f"ordinary nights, {name}",
            client_nights=nights.played["client-night"], held=nights.bad["held"], refused=nights.stopped["run"],
        )  # fmt: skip
    months = backtest.ordinary_months(c.number(10_000), c.seed)
    c.report("ordinary months", played=dict(months.played), false_stops=months.bad["month"])
    if months.bad["month"] * 100 >= months.played["month"]:
        c.wrong.append(f"ordinary months: {months.bad['month']} false stops")


def edit_window(c: Campaign) -> None:
    """How long a person's edit can go unseen."""
    found = window.measure(c.number(200))
    p50, p99 = (round(window.percentile(found, percent), 2) for percent in (50, 99))
    c.report("edit window", writes=len(found), p50_ms=p50, p99_ms=p99, longest_ms=round(found[-1], 2))


PARTS: dict[str, Part] = {
    "singles": singles, "pairs": pairs, "plans": plans, "schedules": schedules, "people": people, "bugs": bugs,
    "twins": twins, "kills": kills, "moments": moments, "disks": disks, "signals": signals, "races": races,
    "source": source, "window": edit_window,
}  # fmt: skip


def _play_list(faults: Any) -> Result:
    return play(list(faults))


def _one(work: tuple[int, str, float]) -> Result:
    return processes.one(work[0], work[1], delay=work[2])


def _hunt(work: tuple[int, int]) -> tuple[str, int | None, set[str]]:
    bug = ALL[work[0]]
    number, oracles = hunt(bug, work[1])
    return bug.name, number, oracles


def main() -> int:
    """Run the parts that are asked for, all by default."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    words.add_argument("--seed", type=int, default=7)
    words.add_argument("--scale", type=float, default=1.0, help="share of the whole campaign")
    words.add_argument("--workers", type=int, default=2)
    words.add_argument("--json", type=Path, help="write the figures to this file")
    asked = words.parse_args()
    compileall.compile_dir(Path(reconciler.__file__).parent, quiet=1)  # else every process of ours compiles it anew
    campaign = Campaign(seed=asked.seed, scale=asked.scale, workers=asked.workers)
    for name in asked.parts or PARTS:
        campaign.part = name
        PARTS[name](campaign)
    if asked.json:
        known = json.loads(asked.json.read_text(encoding="utf-8")) if asked.json.exists() else {}
        asked.json.write_text(json.dumps(known | campaign.figures, indent=2) + "\n", encoding="utf-8")
    for line in campaign.wrong:
        print(f"WRONG {line}")  # noqa: T201
    return 1 if campaign.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
