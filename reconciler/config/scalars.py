"""What an unquoted word means. YAML 1.1 and 1.2 disagree about many of them, and so do editors, reviewers and tools.

Only four readings are accepted: nothing, `true`/`false`, a plain decimal whole number, and text. Whatever one of the
YAML versions would silently turn into something else (`no`, `0123`, `12:30`, `1_000`) is refused with a way out.
"""

from __future__ import annotations

import re

Scalar = None | bool | int | str

_MAX_DIGITS = 18  # far above every range in the schema, and below what int() refuses to convert

_LONGEST_WORD = 64  # what is longer is no date and no word; the patterns below are not made for megabytes

_NUMBER_LIKE = re.compile(r"[-+0-9_.:eE]+", re.ASCII)
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t]+[0-9]{1,2}:[0-9]{2}.*)?", re.ASCII)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

_FRACTION = r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*\.[0-9_]*)(?:[eE][-+]?[0-9]+)?"

_SWITCHES = {"true": True, "yes": True, "on": True, "y": True, "false": False, "no": False, "off": False, "n": False}
_SURPRISES: tuple[tuple[str, str, str], ...] = (
    (r"[-+]?0[0-9_]+", "a number with a leading zero, which YAML 1.1 reads as octal", "leave the zero out"),
    (r"[-+]?0[oO][0-7_]+", "an octal number", "write it in decimal"),
    (r"[-+]?0[xX][0-9a-fA-F_]+", "a hexadecimal number", "write it in decimal"),
    (r"[-+]?0[bB][01_]+", "a binary number", "write it in decimal"),
    (r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", "a base-60 number in YAML 1.1", "use decimal"),
    (r"[-+]?[0-9][0-9_]*_[0-9_]*", "a number with underscores", "write the digits only"),
    (r"\+[0-9]+", "a number with a plus sign", "leave the sign out"),
    (r"-0+", "minus zero", "write 0"),
    (_FRACTION, "a number with a fraction", "write a whole number"),
    (r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+", "a number in exponent form", "write the digits out"),
    (r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "not a countable number", "write a whole number"),
)  # fmt: skip


class SurprisingScalar(ValueError):
    """An unquoted word that YAML 1.1 and 1.2, or two tools, read differently. `hint` is the way out."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def resolve_plain(text: str, *, day_allowed: bool = False) -> Scalar:
    """The value of the unquoted scalar `text`; a day such as 2026-12-31 stays text and is legal only where allowed.

    Raises SurprisingScalar.
    """
    if not text:
        return None
    first = text[0]
    if first not in "0123456789+-.~=<yYnNtTfFoO":
        return text
    if first != "0" and len(text) <= _MAX_DIGITS and text.isdecimal() and text.isascii():
        return int(text)
    if len(text) > _LONGEST_WORD and not _NUMBER_LIKE.fullmatch(text):
        return text
    whole = _WHOLE.fullmatch(text) is not None and text != "-0"
    if len(text) > (_MAX_DIGITS if whole else _LONGEST_WORD):
        raise SurprisingScalar("the number is too long", "numbers go up to 2147483647; if it is text, quote it")
    if whole:
        return int(text)
    return _resolve_word(text, day_allowed=day_allowed)


def _resolve_word(text: str, *, day_allowed: bool) -> Scalar:
    match text:
        case "null":
            return None
        case "true" | "false":
            return text == "true"
        case "<<" | "=":
            raise SurprisingScalar(f'"{text}" has a special meaning in YAML 1.1', f'if it is text, quote it: "{text}"')
    folded = text.casefold()
    if folded in {"null", "~"}:
        raise SurprisingScalar(f"{text} means nothing at all in YAML", f'if it is text, quote it: "{text}"')
    if folded in _SWITCHES:
        word = "true" if _SWITCHES[folded] else "false"
        raise SurprisingScalar(
            f"{text} is {word} in YAML 1.1 and text in YAML 1.2", f'write {word}, or quote it if it is text: "{text}"'
        )
    if _DATE.fullmatch(text) and not (day_allowed and DAY.fullmatch(text)):
        raise SurprisingScalar(*_about_date(text, day_allowed=day_allowed))
    for pattern, what, way_out in _SURPRISES:
        if re.fullmatch(pattern, text):  # compiled when the first odd word comes: most files have none
            raise SurprisingScalar(f"{_cut(text)} is {what}", f'{way_out}, or quote it if it is text: "{_cut(text)}"')
    return text


def _about_date(text: str, *, day_allowed: bool) -> tuple[str, str]:
    if day_allowed:
        return f"{_cut(text)} is not a day", "write year-month-day, for example 2026-12-31"
    return f"{_cut(text)} is a date in YAML 1.1 and text in YAML 1.2", f'quote it: "{_cut(text)}"'


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004 - enough to recognise it
