"""One tree of errors, drawn in its docstring, each with its exit code and its own code."""

from __future__ import annotations

import re

import pytest

from reconciler import errors
from reconciler.errors import ApiError, ConfigError, ReconcilerError, Rejected


def tree(root: type[ReconcilerError] = ReconcilerError) -> list[type[ReconcilerError]]:
    """Every class of the tree that `errors` defines, parents first."""
    return [
        root,
        *(cls for child in root.__subclasses__() if child.__module__ == errors.__name__ for cls in tree(child)),
    ]


def drawn() -> dict[str, tuple[str, int]]:
    """Name -> (parent's name, exit code) as the docstring draws the tree."""
    found: dict[str, tuple[str, int]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        row = re.match(r"([│├└─ ]*)(\w+) +exit (\d+)", line)
        if row:
            depth = len(row[1]) // 4
            path[depth:] = [row[2]]
            found[row[2]] = (path[depth - 1] if depth else "Exception", int(row[3]))
    return found


def test_the_drawing_is_the_tree() -> None:
    assert drawn() == {cls.__name__: (cls.__bases__[0].__name__, cls.exit_code) for cls in tree()}


def test_each_error_has_its_own_code() -> None:
    codes = [cls.code for cls in tree()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("cls", tree())
def test_each_error_carries_message_and_hint(cls: type[ReconcilerError]) -> None:
    more = {"status": 418} if cls is Rejected else {}
    error = cls("what happened", hint="what to do", **more)
    assert (str(error), error.message, error.hint) == ("what happened", "what happened", "what to do")


@pytest.mark.parametrize("cls", [cls for cls in tree() if issubclass(cls, ApiError)])
def test_an_error_of_an_api_never_leaves_people_without_a_next_step(cls: type[ApiError]) -> None:
    more = {"status": 418} if cls is Rejected else {}
    hint = cls("what happened", **more).hint
    assert hint.endswith(".")
    assert re.search(r"[Rr]un again|[Cc]heck|ask", hint)


def test_an_api_error_says_where() -> None:
    error = ApiError("m", system="HaloPSA", request="GET /api/Client")
    assert (error.system, error.request) == ("HaloPSA", "GET /api/Client")
    assert (ApiError("m").system, ApiError("m").request) == ("", "")


def test_a_rejection_carries_its_status() -> None:
    error = Rejected("m", status=418, system="HaloPSA", request="POST /x")
    assert (error.status, error.system, error.request) == (418, "HaloPSA", "POST /x")


def test_a_config_error_carries_its_diagnostics() -> None:
    assert ConfigError("m", diagnostics=("one",)).diagnostics == ("one",)
    assert ConfigError("m").diagnostics == ()
