"""Does a test fail? Each mutant is judged in a forked child; no file is touched.

The tests are collected once. A child exchanges the code of one function and runs them until the first failure. What
stands outside of functions takes effect at import only: such a mutant gets a child that imports everything anew.
"""

from __future__ import annotations

import importlib
import inspect
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cached_property, partial
from importlib.machinery import SourceFileLoader
from multiprocessing import get_context
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest

from tests.mutation.mutants import Mutant

PROCESSOR_SECONDS, SECONDS = 10, 300
"""A mutant that never ends is taken for killed after so much time of the processor, or of the clock."""

QUIET = ["-x", "--assert=plain", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-o", "timeout=0"]


def survivors(module: str, files: Sequence[str], mutants: Sequence[Mutant]) -> list[Mutant]:
    """The mutants of `reconciler.<module>` that every test in these files lets pass.

    Raises `ValueError` when the tests fail without any change.
    """
    name = f"reconciler.{module}"
    inside = [m for m in mutants if m.function]
    with get_context("fork").Pool(1) as pool:  # what the tests import and leave behind stays in that process
        numbers = pool.apply(_survivors_inside, (name, files, inside))
    if numbers is None:
        raise ValueError(f"{module}: its tests fail without any change")
    alive = {id(inside[number]) for number in numbers}
    return [m for m in mutants if id(m) in alive or (not m.function and _passes(partial(_passes_anew, name, files, m)))]


def _survivors_inside(name: str, files: Sequence[str], mutants: Sequence[Mutant]) -> list[int] | None:
    """The numbers of those; None when the tests fail without any change."""
    judge = _Judge(name, mutants)
    _run(files, judge)
    return judge.alive


class _Judge:
    """A plugin in place of pytest's loop over the tests: one loop for each mutant, in a child."""

    def __init__(self, name: str, mutants: Sequence[Mutant]) -> None:
        self._name, self._mutants = name, mutants
        self._in_child = False
        self.alive: list[int] | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if self._in_child:
            return None  # pytest's own loop
        if session.items and _passes(partial(self._passes_with, session, None)):
            judged = enumerate(self._mutants)
            self.alive = [number for number, m in judged if _passes(partial(self._passes_with, session, m))]
        return True

    def _passes_with(self, session: pytest.Session, mutant: Mutant | None) -> bool:
        self._in_child = True
        if mutant:
            transplant(self._name, mutant)
        session.config.hook.pytest_runtestloop(session=session)
        return session.testsfailed == 0


def _passes(work: Callable[[], bool]) -> bool:
    """What it says in a child of its own; whatever breaks there, the mutant was noticed."""
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_PROF, PROCESSOR_SECONDS)
        signal.alarm(SECONDS)
        passed = False
        try:
            passed = work()
        finally:
            os._exit(not passed)
    return os.waitpid(child, 0)[1] == 0


def transplant(name: str, mutant: Mutant) -> None:
    """Give the living function the changed code, whoever has imported it."""
    function = living_function(importlib.import_module(name), mutant.function)
    compiled = compile(mutant.tree(), f"<mutated {name}>", "exec", dont_inherit=True)
    function.__code__ = _code_in(compiled, mutant.function)


def living_function(module: ModuleType, qualified: str) -> FunctionType:
    """The plain function of that qualified name, without what decorates it."""
    found: object = module
    for part in qualified.split("."):
        found = inspect.getattr_static(found, part)
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, cached_property):
        found = found.func
    function = inspect.unwrap(found)  # type: ignore[arg-type]
    if not isinstance(function, FunctionType) or function.__code__.co_qualname != qualified:
        raise TypeError(f"{qualified} is no plain function")
    return function


def _code_in(code: CodeType, qualified: str) -> CodeType:
    if code.co_qualname == qualified:
        return code
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return next(_code_in(each, qualified) for each in inner if f"{qualified}.".startswith(f"{each.co_qualname}."))


def _passes_anew(name: str, files: Sequence[str], mutant: Mutant) -> bool:
    """Import everything once more, the module with its change, and run the tests."""
    for each in [each for each in sys.modules if each.partition(".")[0] in {"reconciler", "tests"}]:
        del sys.modules[each]
    changed, code_of = compile(mutant.tree(), f"<mutated {name}>", "exec"), SourceFileLoader.get_code

    def get_code(loader: SourceFileLoader, fullname: str) -> CodeType | None:
        return changed if fullname == name else code_of(loader, fullname)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign]
    return _run(files) == 0


def _run(files: Sequence[str], *plugins: object) -> int:
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        return int(pytest.main([*files, *QUIET], plugins=plugins))
