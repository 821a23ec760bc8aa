"""A module can be made absent for a moment, and only for that."""

from __future__ import annotations

import importlib
import sys

import pytest

from reconciler.http.bare_httpx import _absent


def test_what_is_absent_cannot_be_imported_meanwhile() -> None:
    name = "this"  # the standard library's poem: nobody imports it
    assert name not in sys.modules
    with _absent(name), pytest.raises(ImportError):
        importlib.import_module(name)
    assert name not in sys.modules


def test_it_is_back_after_a_failure_too() -> None:
    with pytest.raises(RuntimeError), _absent("this"):
        raise RuntimeError
    assert "this" not in sys.modules


def test_what_is_imported_already_stays() -> None:
    with _absent("json"):
        assert importlib.import_module("json") is sys.modules["json"]
    assert sys.modules["json"] is not None
