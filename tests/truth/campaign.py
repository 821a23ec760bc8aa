"""Plays histories and prints figures: `python -m tests.truth.campaign --histories 200`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.truth.nights import History, Night, furnish, play
from tests.truth.oracles import AT_THE_END, false_sentences
from tests.truth.planted import PLANTS, planted
from tests.truth.scene import staged

NIGHTS = 4
SEEDS = range(1, 31)


@dataclass(slots=True)
class Judged:
    """What came of one history."""

    nights: int = 0
    drawings: int = 0
    writing: int = 0
    killed: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    false: list[str] = field(default_factory=list)


def judged(seed: int, folder: Path, *, nights: int = NIGHTS) -> Judged:
    """Play one history and ask every oracle."""
    done, history = Judged(), furnish(folder, seed)

    def judge(at: History, night: Night) -> None:
        done.nights += 1
        done.drawings += len(night.texts)
        done.writing += bool(night.posts)
        done.killed += night.answer.killed
        done.outcomes.update(str(row.get("outcome")) for row in night.rows.values())
        done.false += false_sentences(at, night)

    with staged(history.scene):
        play(history, nights, judge)
        done.drawings += len(history.texts)
        for oracle in AT_THE_END:
            done.false += [f"seed {seed}, at the end: {one}" for one in oracle(history)]
    return done


def found_in(plant: str, seeds: range = SEEDS) -> int:
    """The first seed whose history gives a planted false sentence away; 0 where none does."""
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder, planted(plant):
            if judged(seed, Path(folder)).false:
                return seed
    return 0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--planted", action="store_true", help="only: which planted false sentences are found")
    options = parser.parse_args()
    if options.planted:
        missed = [name for name in PLANTS if not found_in(name)]
        print(f"planted false sentences {len(PLANTS)}, found {len(PLANTS) - len(missed)}; missed: {missed}")  # noqa: T201
        return bool(missed)
    total, false = Judged(), []
    for seed in range(options.first, options.first + options.histories):
        with tempfile.TemporaryDirectory() as folder:
            one = judged(seed, Path(folder))
        total.nights += one.nights
        total.drawings += one.drawings
        total.writing += one.writing
        total.killed += one.killed
        total.outcomes += one.outcomes
        false += one.false
    figures = f"nights {total.nights}, of which {total.writing} wrote and {total.killed} were killed"
    print(f"histories {options.histories}, {figures}")  # noqa: T201
    print(f"drawings compared {total.drawings}; outcomes {dict(total.outcomes)}")  # noqa: T201
    print(f"false sentences {len(false)}")  # noqa: T201
    for line in false[:40]:
        print(f"  {line}")  # noqa: T201
    return bool(false)


if __name__ == "__main__":
    sys.exit(main())
