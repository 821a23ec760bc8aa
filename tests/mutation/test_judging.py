"""The judge is judged: it finds what no test notices, and nothing else."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.judging import living_function, survivors, transplant
from tests.mutation.mutants import Mutant, mutants_of, named
from tests.mutation.subjects import SUBJECTS, files_of, source_of

STRICT = """
from reconciler.model import QuantityRule
from reconciler.planning.quantity import apply_rule

def test_all_of_it():
    for rule in (QuantityRule(included=2, minimum=3, maximum=9), QuantityRule(included=2), QuantityRule()):
        for counted in (None, 0, 1, 4, 5, 6, 10, 11, 12, 40):
            low, high = rule.minimum or 0, 10**9 if rule.maximum is None else rule.maximum
            wanted = None if counted is None else max(0, min(high, max(low, counted - rule.included)))
            assert apply_rule(rule, counted) == wanted
"""
BLIND = "from reconciler.planning.quantity import apply_rule\n\ndef test_nothing():\n    assert callable(apply_rule)\n"
FAILING = "def test_it():\n    assert False\n"


def billed_mutants() -> list[Mutant]:
    return [m for m in mutants_of(source_of("planning.quantity")) if m.function == "apply_rule"]


def judged(folder: Path, test: str, mutants: list[Mutant]) -> list[Mutant]:
    path = folder / "test_quantity_only.py"
    path.write_text(test, encoding="utf-8")
    return survivors("planning.quantity", [str(path)], mutants)


def test_a_test_that_looks_lets_nothing_pass(tmp_path: Path) -> None:
    mutants = billed_mutants()
    assert len(mutants) >= 12
    assert judged(tmp_path, STRICT, mutants) == []


def test_a_test_that_looks_at_nothing_lets_everything_pass(tmp_path: Path) -> None:
    mutants = billed_mutants()[:3]
    assert judged(tmp_path, BLIND, mutants) == mutants


def test_tests_that_fail_by_themselves_judge_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without any change"):
        judged(tmp_path, FAILING, billed_mutants()[:1])


def test_what_stands_outside_of_functions_is_judged_at_import(tmp_path: Path) -> None:
    [default] = [m for m in mutants_of("class A:\n    x: int = 1\n") if not m.function]
    assert (default.line, default.what) == (2, "1  ->  2")
    outside = [m for m in mutants_of(source_of("plan")) if not m.function and m.what == "1000  ->  1001"]
    path = tmp_path / "test_constant.py"
    path.write_text("from reconciler import plan\n\ndef test_it():\n    assert plan._ROWS_A_PAGE == 1000\n")
    assert survivors("plan", [str(path)], outside) == []


def test_nothing_of_it_stays_in_this_process() -> None:
    quantity = importlib.import_module("reconciler.planning.quantity")
    assert living_function(quantity, "apply_rule").__code__.co_filename == quantity.__file__


@pytest.mark.parametrize("module", SUBJECTS)
def test_every_change_reaches_the_living_code(module: str) -> None:
    """Wherever the change stands, the function it stands in is found, decorated or not."""
    living = importlib.import_module(f"reconciler.{module}")
    for function in {m.function for m in mutants_of(source_of(module)) if m.function}:
        assert living_function(living, function).__module__ == living.__name__


def test_a_changed_function_is_changed_for_whoever_has_it() -> None:
    from reconciler.planning.quantity import apply_rule  # noqa: PLC0415 - an import from before the change is the point

    before = apply_rule.__code__
    mutant = next(m for m in billed_mutants() if m.what.startswith("return max(result, 0)"))
    try:
        transplant("reconciler.planning.quantity", mutant)
        assert apply_rule(importlib.import_module("reconciler.model").QuantityRule(), 5) is None
    finally:
        apply_rule.__code__ = before


def test_each_mutant_is_one_change_and_has_a_name_of_its_own() -> None:
    for module in SUBJECTS:
        mutants = mutants_of(source_of(module))
        assert len(set(named(mutants).values())) == len(mutants)
    source = source_of("planning.quantity")
    assert all(ast.dump(m.tree()) != ast.dump(ast.parse(source)) for m in mutants_of(source))


def test_every_file_of_tests_that_is_named_is_there() -> None:
    assert all(Path(path).is_file() for module in SUBJECTS for path in files_of(module))


def test_what_is_called_equivalent_is_a_change_that_is_made() -> None:
    """A line that was rewritten leaves no excuse behind. Whether each still is one, the full run tells."""
    assert set(EQUIVALENT) <= set(SUBJECTS)
    for module, excuses in EQUIVALENT.items():
        assert set(excuses) - set(named(mutants_of(source_of(module))).values()) == set()
        assert all(len(why) > 20 for why in excuses.values())
