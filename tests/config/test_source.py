"""What the fast look at a text may rely on."""

from __future__ import annotations

import sys

from reconciler.config import source


def test_whatever_is_refused_is_not_printable() -> None:
    """`isprintable` is asked first, and its yes is believed."""
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if character.isprintable():
            assert source.INVISIBLE.search(character) is None, hex(code)
            assert source._REFUSED_IN_TEXT.search(character) is None, hex(code)
