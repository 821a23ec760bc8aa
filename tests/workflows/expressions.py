"""The expressions of a workflow (`${{ ... }}`), as far as ours use them, read and evaluated.

What is not known here is an error, so that a workflow cannot grow a condition that no test understands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKENS = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<mark>==|!=|&&|\|\||[!(),])|(?P<name>[A-Za-z_][\w.*-]*))")
_WHOLE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)

Functions = Mapping[str, Callable[..., Any]]


class Expression:
    """One expression over the contexts and functions it is given."""

    def __init__(self, text: str, contexts: Mapping[str, Any], functions: Functions) -> None:
        self._tokens = _tokens(text)
        self._contexts = contexts
        self._functions = functions

    def value(self) -> Any:
        result = self._either()
        if self._tokens:
            raise ValueError(f"unread: {self._tokens}")
        return result

    def _next(self, *marks: str) -> str:
        if self._tokens and self._tokens[0] in marks:
            return self._tokens.pop(0)
        return ""

    def _either(self) -> Any:
        left = self._both()
        while self._next("||"):
            right = self._both()
            left = left or right
        return left

    def _both(self) -> Any:
        left = self._compared()
        while self._next("&&"):
            right = self._compared()
            left = left and right
        return left

    def _compared(self) -> Any:
        left = self._single()
        mark = self._next("==", "!=")
        if not mark:
            return left
        same = _comparable(left) == _comparable(self._single())
        return same if mark == "==" else not same

    def _single(self) -> Any:
        if self._next("!"):
            return not self._single()
        if self._next("("):
            inner = self._either()
            self._expect(")")
            return inner
        token = self._tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if self._next("("):
            arguments = []
            while not self._next(")"):
                arguments.append(self._either())
                self._next(",")
            return self._functions[token](*arguments)
        return _found(self._contexts, token)

    def _expect(self, mark: str) -> None:
        if not self._next(mark):
            raise ValueError(f"{mark} is missing")


def _tokens(text: str) -> list[str]:
    tokens, place = [], 0
    text = text.strip()
    while place < len(text):
        found = _TOKENS.match(text, place)
        if found is None:
            raise ValueError(f"not an expression: {text[place:]}")
        tokens.append(found.group().strip())
        place = found.end()
    return tokens


def _comparable(value: Any) -> str:
    return "" if value is None else str(value).lower()


def _found(contexts: Mapping[str, Any], name: str) -> Any:
    """What a dotted name stands for; an unknown context is an error, an unknown member is nothing, as on GitHub."""
    first, *rest = name.split(".")
    value: Any = contexts[first]
    for member in rest:
        value = list(value.values()) if member == "*" else _member(value, member)
    return value


def _member(value: Any, member: str) -> Any:
    if isinstance(value, list):
        return [item[member] for item in value]
    return value.get(member) if isinstance(value, Mapping) else None


def fill(text: object, contexts: Mapping[str, Any], functions: Functions) -> str:
    """A value of the workflow with its expressions replaced by what they come to."""

    def replaced(found: re.Match[str]) -> str:
        value = Expression(found[1], contexts, functions).value()
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    return _WHOLE.sub(replaced, str(text))


def holds(condition: object, contexts: Mapping[str, Any], functions: Functions) -> bool:
    """Whether an `if:` is true. One without a status function means `success() && (...)`, as on GitHub."""
    text = str(condition or "").strip()
    found = _WHOLE.fullmatch(text)
    text = found[1].strip() if found else text
    if not re.search(r"\b(always|success|failure|cancelled)\(", text):
        text = f"success() && ({text})" if text else "success()"
    return bool(Expression(text, contexts, functions).value())
