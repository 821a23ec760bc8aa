"""A head start: both systems are being read while mappings.yaml is still being checked.

Most of a short run is Python importing modules and reading the file; most of the rest is waiting for answers. Side by
side they take half the time. What is read ahead does not depend on the mappings, only on the settings, which are
looked up beforehand (`config.glance`); where that guess was wrong, everything is read anew with the right ones.
Nothing is told of it, and nothing of it is used, until the file has been found to be good.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from reconciler.cli.wiring import Wiring
from reconciler.errors import ConfigError, ReconcilerError
from reconciler.model import Mappings, Settings

if TYPE_CHECKING:
    from reconciler.planning.observation import FirstReads
    from reconciler.providers.connect import Systems

T = TypeVar("T")

LARGEST_FILE = 5_000_000  # bytes; a larger mappings.yaml is refused
LARGEST_SETTINGS = 10_000
_SETTINGS = re.compile(rb"^settings:.*\n?(?:^(?:[ \t#].*)?\n?)*", re.MULTILINE)
_REST = b"version: 1\nmappings: []\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadStart:
    """Systems that were connected with `settings`, and what is being read from them."""

    settings: Settings
    systems: Systems
    first: FirstReads

    def fits(self, mappings: Mappings) -> bool:
        """True when the file says the same settings; its reads must not be used otherwise."""
        return self.settings == mappings.settings


@contextmanager
def reading_ahead(wiring: Wiring, *, wanted: bool = True) -> Iterator[HeadStart | None]:
    """Read INFIMA's partner and clients and HaloPSA's customers in the background; stops when the context ends.

    None where it is not `wanted`, where the settings cannot be told at a glance, or where something is missing for
    connecting: whoever connects later says what.
    """
    started = _start(wiring) if wanted else None
    if started is None:
        yield None
        return
    head_start, stop = started
    try:
        yield head_start
    finally:
        stop()


def _start(wiring: Wiring) -> tuple[HeadStart, Callable[[], None]] | None:
    settings = glance_at_settings(wiring.options.mappings)
    if settings is None:
        return None
    try:
        systems = wiring.connect(settings)
    except ReconcilerError:
        return None
    from reconciler.planning.observation import FirstReads  # noqa: PLC0415 - the first request is on its way sooner without

    pool = ThreadPoolExecutor(max_workers=3, thread_name_prefix="ahead")

    def stop() -> None:
        pool.shutdown(wait=False, cancel_futures=True)
        systems.close()

    def soon(read: Callable[[], T]) -> Callable[[], T]:
        return pool.submit(read).result

    first = FirstReads(
        begun_at=wiring.clock.now(),
        partner=soon(systems.source.partner),
        clients=soon(systems.source.clients),
        customers=soon(systems.target.customers),
    )
    return HeadStart(settings=settings, systems=systems, first=first), stop


def glance_at_settings(path: Path) -> Settings | None:
    """The settings in the file at `path`, the defaults where it names none; None where a glance cannot tell.

    A guess, to be compared with the truth before anything hangs on it: in a block of lines at the top level no other
    key can begin a line, so the lines from `settings:` to the next such key are the settings, and no such line means
    that there are none.
    """
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_FILE:
            return None
        found = _SETTINGS.findall(path.read_bytes())
    except OSError:
        return None
    if not found:
        return Settings()
    if len(found) > 1 or len(found[0]) > LARGEST_SETTINGS:
        return None
    from reconciler.config import parse_mappings  # noqa: PLC0415 - yaml is slow to import

    try:
        return parse_mappings(_REST + found[0], file=path.name, today=date.max).settings
    except ConfigError:
        return None
