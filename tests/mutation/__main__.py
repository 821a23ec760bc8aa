"""`python -m tests.mutation MODULE ... [--sample N] [--seed N] [--json FILE]`: does a test fail for each wrong change?

Each mutant is one changed operator, constant, condition or dropped statement of one module. Survivors are printed with
their line; those of `equivalent.py`, which no test could tell from the code as it is, are counted apart. The exit code
is 1 when fewer than 90 % of the others were killed in any module, or when an entry of that list is not true any more.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.judging import survivors
from tests.mutation.mutants import mutants_of, named
from tests.mutation.published import percent
from tests.mutation.subjects import SUBJECTS, files_of, source_of

GOAL_PERCENT = 90


def judge(module: str, *, sample: int | None, seed: int) -> dict[str, Any]:
    """One module's figures; `survivors` are what a test should have noticed, `wrong` what the list should not name."""
    mutants = mutants_of(source_of(module))
    names = named(mutants)
    if sample and sample < len(mutants):
        mutants = random.Random(seed).sample(mutants, sample)  # noqa: S311 - to be repeatable
    judged = {names[m.place, m.what] for m in mutants}
    excuses = EQUIVALENT.get(module, {})
    alive = {names[m.place, m.what]: m for m in survivors(module, files_of(module), mutants)}
    missed = sorted((m for name, m in alive.items() if name not in excuses), key=lambda m: m.line)
    return {
        "mutants": len(mutants),
        "killed": len(mutants) - len(alive),
        "equivalent": sum(name in excuses for name in alive),
        "survivors": [f"{m.line}: {m.function}: {m.what}" for m in missed],
        "wrong": sorted(name for name in excuses if name in judged and name not in alive),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the modules that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[*SUBJECTS, []], metavar="MODULE", help="default: all")
    parser.add_argument("--sample", type=int, help="judge only that many mutants of each module")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--json", type=Path, help="keep the figures there, beside those of other modules")
    options = parser.parse_args(arguments)
    figures = {}
    for module in options.modules or SUBJECTS:
        figures[module] = row = judge(module, sample=options.sample, seed=options.seed)
        print(f"{module}: {row['killed']} of {row['mutants']} killed, {row['equivalent']} equivalent: {percent(row)} %")  # noqa: T201
        for line in row["survivors"]:
            print(f"  survives: reconciler/{module.replace('.', '/')}.py:{line}")  # noqa: T201
        for name in row["wrong"]:
            print(f"  is not equivalent, a test fails: {name}")  # noqa: T201
        sys.stdout.flush()
        if options.json:  # at once, beside those of earlier runs: a long run may be cut short
            kept = json.loads(options.json.read_text(encoding="utf-8")) if options.json.exists() else {}
            kept |= figures
            ordered = {name: kept[name] for name in SUBJECTS if name in kept}
            options.json.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")
    return int(any(percent(row) < GOAL_PERCENT or row["wrong"] for row in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
