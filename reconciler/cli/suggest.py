"""Did you mean ...?"""

from __future__ import annotations

from collections.abc import Sequence


def closest(word: str, choices: Sequence[str]) -> str:
    """The choice that `word` was probably meant to be, or nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 - only who is wrong waits for it

    folded = {choice.casefold(): choice for choice in choices}
    near = get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[near[0]] if near else ""
