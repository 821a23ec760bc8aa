"""Values are dataclasses of the standard library in everything but the time they take to make."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
from typing import Any, ClassVar

import pytest

import reconciler
from reconciler.values import dataclass

NEVER = {"reconciler.__main__"}


def values() -> list[type]:
    """Every frozen value of the package."""
    found: dict[str, type] = {}
    for module in pkgutil.walk_packages(reconciler.__path__, "reconciler."):
        if module.name in NEVER or ".simulator" in module.name:
            continue
        for thing in vars(importlib.import_module(module.name)).values():
            if isinstance(thing, type) and dataclasses.is_dataclass(thing) and thing.__module__ == module.name:
                found[f"{thing.__module__}.{thing.__qualname__}"] = thing
    return [made for made in found.values() if made.__init__.__globals__.get("__name__") is None]


VALUES = values()


def twin_of(made: type) -> type:
    """The same members, made by the standard library."""
    members = [(f.name, object, _same(f)) for f in dataclasses.fields(made)]
    return dataclasses.make_dataclass(made.__qualname__, members, frozen=True, slots=True, kw_only=True)


def _same(f: dataclasses.Field[Any]) -> dataclasses.Field[Any]:
    kept = {"repr": f.repr, "compare": f.compare, "hash": f.hash}
    if f.default is not dataclasses.MISSING:
        return dataclasses.field(default=f.default, **kept)  # type: ignore[no-any-return, call-overload]
    if f.default_factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=f.default_factory, **kept)  # type: ignore[no-any-return, call-overload]
    return dataclasses.field(**kept)  # type: ignore[no-any-return, call-overload]


def bare(made: type, **members: object) -> Any:
    """A value with exactly these members: what a `__post_init__` would refuse is not the question here."""
    value = object.__new__(made)
    for name, member in members.items():
        getattr(made, name).__set__(value, member)
    return value


def test_the_package_has_values() -> None:
    assert len(VALUES) > 100


@pytest.mark.parametrize("made", VALUES, ids=lambda made: f"{made.__module__}.{made.__qualname__}")
def test_a_value_is_what_the_standard_library_would_have_made(made: type) -> None:
    twin = twin_of(made)
    names = [f.name for f in dataclasses.fields(made)]
    ours, theirs = (inspect.signature(one).parameters.values() for one in (made, twin))
    assert [(p.name, p.kind) for p in ours] == [(p.name, p.kind) for p in theirs]
    first, second = ({name: (tag, name) for name in names} for tag in (1, 2))
    one, same, other = bare(made, **first), bare(made, **first), bare(made, **second)
    peers = [twin(**first), twin(**first), twin(**second)]
    assert one == same
    assert (one == other) == (peers[0] == peers[2])
    if "__repr__" not in vars(made) or made.__repr__.__qualname__ == f"{made.__qualname__}.__repr__":
        assert repr(one).endswith(repr(peers[0]).partition("(")[2]) or "***" in repr(one)
    assert (hash(one) == hash(same)) is (hash(peers[0]) == hash(peers[1])) is True
    assert one != peers[0]
    assert not hasattr(one, "__dict__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value with everything that a value here may have."""

    x: int
    y: int = 0
    tags: list[str] = dataclasses.field(default_factory=list, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError(self.x)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot(Point):
    """A value that is another one and more."""

    name: str = "spot"

    def __repr__(self) -> str:
        return f"<{self.name}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """A value without members."""


def test_defaults_factories_and_checks() -> None:
    one, two = Point(x=1), Point(x=1)
    assert (one.x, one.y, one.tags) == (1, 0, [])
    assert one.tags is not two.tags
    with pytest.raises(ValueError, match="-1"):
        Point(x=-1)
    with pytest.raises(TypeError, match="x"):
        Point(y=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="z"):
        Point(x=1, z=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Point(1)  # type: ignore[call-arg, misc]


def test_nothing_can_be_set_or_taken_away() -> None:
    one = Point(x=1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
        one.x = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'x'"):
        del one.x
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.unknown = 2  # type: ignore[attr-defined]


def test_equality_hash_and_words() -> None:
    assert Point(x=1, tags=["a"]) == Point(x=1, tags=["b"])
    assert Point(x=1) != Point(x=2)
    assert Point(x=1) != Spot(x=1)
    assert Nothing() == Nothing()
    assert len({Point(x=1), Point(x=1, tags=["a"]), Point(x=2), Nothing(), Nothing()}) == 3
    assert repr(Point(x=1)) == "Point(x=1, y=0)"
    assert repr(Nothing()) == "Nothing()"
    assert repr(Spot(x=1)) == "<spot>", "a method of one's own stays"


def test_replacing_copying_and_sending_away() -> None:
    one = Spot(x=1, y=2, name="here")
    assert dataclasses.replace(one, y=3) == Spot(x=1, y=3, name="here")
    with pytest.raises(ValueError, match="-5"):
        dataclasses.replace(one, x=-5)
    for again in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):  # noqa: S301 - our own
        assert again == one
        assert again.tags == []


def test_what_a_value_cannot_be_is_refused_where_it_is_made() -> None:
    with pytest.raises(ValueError, match=r"Shared\.tags: all values would share that default"):

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Shared:
            tags: list[str] = []  # noqa: RUF012 - what is refused here

    with pytest.raises(TypeError, match=r"Known\.kind: a frozen value has members and nothing else"):

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Known:
            kind: ClassVar[int] = 3


def test_what_is_no_frozen_value_is_left_to_the_standard_library() -> None:
    @dataclass(slots=True, kw_only=True)
    class Mutable:
        x: int

    one = Mutable(x=1)
    one.x = 2
    assert (one.x, repr(one)) == (
        2,
        "test_what_is_no_frozen_value_is_left_to_the_standard_library.<locals>.Mutable(x=2)",
    )
    assert Mutable.__hash__ is None
