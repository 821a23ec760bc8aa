"""httpx without its command line.

`import httpx` also imports the `httpx` command where click, rich and pygments are installed, as they are here: that
costs more than the library itself, on every run. httpx is made to live without it, so it is told that it is absent.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_COMMAND_LINE = "httpx._main"


@contextmanager
def _absent(module: str) -> Iterator[None]:
    """Let imports of `module` fail for a moment: None in `sys.modules` is Python's own word for that."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment] # what the import system documents, typeshed does not
    try:
        yield
    finally:
        del sys.modules[module]


with _absent(_COMMAND_LINE):
    import httpx

__all__ = ["httpx"]
