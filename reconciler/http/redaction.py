"""Keeps secrets out of every message, whatever a server echoes."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from threading import Lock
from urllib.parse import quote, quote_plus

_GRAM = 8
"""A run of this many characters of a secret is already too much to show."""

HIDDEN = "***"


class Redactor:
    """Replaces every known secret in a text by `***`: whole, in part (8 characters), and in its usual disguises.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._grams: frozenset[str] = frozenset()
        self._short: tuple[str, ...] = ()

    def learn(self, secret: str) -> None:
        """Hide this secret from now on."""
        forms = _disguises(secret)
        grams = {form[i : i + _GRAM] for form in forms for i in range(len(form) - _GRAM + 1)}
        short = [form for form in forms if 0 < len(form) < _GRAM]
        with self._lock:
            self._grams |= grams
            self._short = tuple(sorted({*self._short, *short}, key=len, reverse=True))

    def hide(self, text: str) -> str:
        """Return the text without any part of a secret."""
        shown: list[str] = []
        hidden_until = 0
        for start in range(len(text)):
            if text[start : start + _GRAM] in self._grams:
                if start >= hidden_until:
                    shown.append(HIDDEN)
                hidden_until = start + _GRAM
            elif start >= hidden_until:
                shown.append(text[start])
        result = "".join(shown)
        for form in self._short:
            result = result.replace(form, HIDDEN)
        return result


def _disguises(secret: str) -> set[str]:
    """The forms in which a secret may come back: raw, URL, JSON, hexadecimal, reversed, base64 at each alignment."""
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {secret, secret[::-1], quote(raw, safe=""), quote_plus(raw), json.dumps(secret)[1:-1], raw.hex()}
    forms.add(raw.hex().upper())
    for before in range(3):
        # Inside a longer text the secret may start at any of three offsets of base64's groups of three bytes; the
        # first and last characters then depend on the neighbours and are left out.
        for encode in (b64encode, urlsafe_b64encode):
            encoded = encode(b"\0" * before + raw).decode("ascii").rstrip("=")
            forms.add(encoded[(before * 8 + 5) // 6 : len(raw + b"\0" * before) * 8 // 6])
    return forms
