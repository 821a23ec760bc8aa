"""`python -m tests.mutation MODULE ... [--sample N] [--seed N]`: does a test fail for each small wrong change?

Each mutant is one changed operator, constant, condition or dropped statement of one module. It lives in a forked child
only: no file is touched. Survivors are printed with their line; the exit code is 1 when fewer than 90 % were killed.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.abc
import importlib.util
import os
import random
import signal
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import deepdiff  # noqa: F401 - imported before the fork, because every child needs them
import hypothesis  # noqa: F401
import pytest

from tests.mutation.mutants import Mutant, mutants_of

GOAL_PERCENT = 90
SECONDS = 120
WRITING = ("update", "create", "create_failures", "apply", "writes")
TESTS = {
    "quantity": ("quantity", "safety"),
    "identity": ("identity", "plan"),
    "doubts": ("doubts", "plan"),
    "plan": ("plan", "doubts"),
    "changes": ("changes", "plan", "safety"),
    "safety": ("safety",),
    "writes": WRITING,
    "update": WRITING,
    "create": WRITING,
    "apply": WRITING,
    "verdict": ("verdict",),
    "run": ("run",),
}


class MutatedFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module in its changed form; every other module is imported as ever."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self._name = name
        self._tree = tree

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._tree, f"<mutated {self._name}>", "exec"), module.__dict__)  # noqa: S102 - that is the point


def survives(module: str, mutant: Mutant) -> bool:
    """Run the module's tests against the mutant in a child; true when all pass."""
    child = os.fork()
    if child == 0:
        os._exit(_run_tests(module, mutant))
    _, status = os.waitpid(child, 0)
    return status == 0


def _run_tests(module: str, mutant: Mutant) -> int:
    signal.alarm(SECONDS)  # a mutant that never ends is killed by it
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        sys.meta_path.insert(0, MutatedFinder(f"reconciler.{module}", mutant.tree))
        files = [f"tests/test_{name}.py" for name in TESTS[module]]
        quiet = ["-x", "--assert=plain", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
        try:
            return int(pytest.main([*files, *quiet]) != 0)
        except BaseException:  # noqa: BLE001 - whatever breaks, the mutant was noticed
            return 1


def main() -> int:
    """Judge the modules that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[*TESTS, []], metavar="MODULE", help="default: all")
    parser.add_argument("--sample", type=int, help="judge only that many mutants of each module")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    killed = total = 0
    for module in options.modules or TESTS:
        source = Path("reconciler", f"{module}.py").read_text(encoding="utf-8")
        if not survives(module, Mutant(line=0, what="nothing", tree=ast.parse(source))):
            sys.exit(f"{module}: its tests fail without any change")
        mutants = mutants_of(source)
        if options.sample and options.sample < len(mutants):
            mutants = random.Random(options.seed).sample(mutants, options.sample)  # noqa: S311 - to be repeatable
        alive = [m for m in mutants if survives(module, m)]
        killed, total = killed + len(mutants) - len(alive), total + len(mutants)
        print(f"{module}: {len(mutants) - len(alive)} of {len(mutants)} killed", flush=True)  # noqa: T201
        for mutant in sorted(alive, key=lambda m: m.line):
            print(f"  reconciler/{module}.py:{mutant.line}: {mutant.what}", flush=True)  # noqa: T201
    print(f"all: {killed} of {total} killed ({killed * 100 // max(total, 1)} %), seed {options.seed}")  # noqa: T201
    return int(killed * 100 < GOAL_PERCENT * total)


if __name__ == "__main__":
    sys.exit(main())
