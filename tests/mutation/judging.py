"""Does a test fail? Each mutant is judged in a forked child; no file is touched.

The tests are collected once. A child exchanges the code of one function and runs them until the first failure. What
stands outside of functions takes effect at import only: such a mutant gets a child that imports everything anew.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.abc
import importlib.util
import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
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
    inside = [m for m in mutants if m.function]
    alive = set(_in_child(lambda: _judge_functions(module, files, inside)))
    if not alive:
        raise ValueError(f"{module}: its tests fail without any change")
    return [
        mutant
        for mutant in mutants
        if (inside.index(mutant) in alive if mutant.function else _survives_import(module, files, mutant))
    ]


def _in_child(work: Callable[[], Sequence[int]]) -> list[int]:
    """Run this in a child and return the numbers that it returned."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            numbers = work()
            with os.fdopen(writing, "w") as pipe:
                pipe.write(" ".join(map(str, numbers)))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return [int(number) for number in told.split()]


UNCHANGED = -1
"""Stands for the module as it is, in the list of what its tests let pass."""


def _judge_functions(module: str, files: Sequence[str], mutants: Sequence[Mutant]) -> list[int]:
    judge = _Judge(module, mutants)
    with _silence():
        pytest.main([*files, *QUIET], plugins=[judge])
    return judge.alive


class _Judge:
    """A plugin in place of pytest's loop over the tests: one loop for each mutant, in a child."""

    def __init__(self, module: str, mutants: Sequence[Mutant]) -> None:
        self._name, self._mutants = f"reconciler.{module}", mutants
        self._in_child = False
        self.alive: list[int] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if self._in_child:
            return None  # pytest's own loop
        if session.items and self._passes(session, lambda: None):
            self.alive.append(UNCHANGED)
            for number, mutant in enumerate(self._mutants):
                if self._passes(session, lambda mutant=mutant: transplant(self._name, mutant)):
                    self.alive.append(number)
        return True

    def _passes(self, session: pytest.Session, prepare: Callable[[], None]) -> bool:
        child = os.fork()
        if child == 0:
            self._in_child = True
            os._exit(_verdict(session, prepare))
        _, status = os.waitpid(child, 0)
        return status == 0


def _verdict(session: pytest.Session, prepare: Callable[[], None]) -> int:
    _limit_time()
    try:
        prepare()
        session.config.hook.pytest_runtestloop(session=session)
    except BaseException:  # noqa: BLE001 - whatever breaks, the mutant was noticed
        return 1
    return int(session.testsfailed > 0)


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
    function = inspect.unwrap(found)  # type: ignore[arg-type]
    if not isinstance(function, FunctionType) or function.__code__.co_qualname != qualified:
        raise TypeError(f"{qualified} is no plain function")
    return function


def _code_in(code: CodeType, qualified: str) -> CodeType:
    if code.co_qualname == qualified:
        return code
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return next(_code_in(each, qualified) for each in inner if f"{qualified}.".startswith(f"{each.co_qualname}."))


def _survives_import(module: str, files: Sequence[str], mutant: Mutant) -> bool:
    child = os.fork()
    if child == 0:
        os._exit(_run_anew(module, files, mutant))
    _, status = os.waitpid(child, 0)
    return status == 0


def _run_anew(module: str, files: Sequence[str], mutant: Mutant) -> int:
    _limit_time()
    for name in [each for each in sys.modules if each.partition(".")[0] in {"reconciler", "tests"}]:
        del sys.modules[name]
    sys.meta_path.insert(0, _MutatedFinder(f"reconciler.{module}", mutant.tree()))
    try:
        with _silence():
            return int(pytest.main([*files, *QUIET]) != 0)
    except BaseException:  # noqa: BLE001 - whatever breaks, the mutant was noticed
        return 1


def _limit_time() -> None:
    signal.setitimer(signal.ITIMER_PROF, PROCESSOR_SECONDS)
    signal.alarm(SECONDS)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


class _MutatedFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
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
