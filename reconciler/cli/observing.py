"""What a plan is made from: read live, or from a snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.output import tell
from reconciler.cli.wiring import Wiring, live
from reconciler.errors import PlanFileError
from reconciler.model import Mappings, Observation

if TYPE_CHECKING:
    from reconciler.cli.ahead import HeadStart
    from reconciler.planning.snapshot import Snapshot


def observe_live(
    wiring: Wiring, mappings: Mappings, base: Mappings | None, *, every_client: bool, ahead: HeadStart | None = None
) -> Snapshot:
    """Read both systems and the state, or take what was read `ahead`, where that was read with the right settings.

    Users are also counted for clients that only the base maps, and with `every_client` for all that are listed and
    not ignored, so that a snapshot can answer for mappings that do not exist yet.
    """
    from reconciler.planning.observation import clients_to_count, observe  # noqa: PLC0415
    from reconciler.planning.snapshot import Snapshot  # noqa: PLC0415

    fitting = ahead if ahead is not None and ahead.fits(mappings) else None
    with fitting.systems if fitting else wiring.connect(mappings.settings) as systems:
        recorded = wiring.store().read()
        first = fitting.first if fitting else None
        seen = observe(live(systems), mappings, wiring.context(), first, recorded=recorded)
        wanted = set(clients_to_count(base, seen.clients)) if base is not None else set()
        if every_client:
            ignored = {i.client.id for i in mappings.ignored}
            wanted |= {c.id for c in seen.clients if c.id not in ignored}
        missing = sorted(wanted - {u.client_id for u in seen.user_counts})
        if missing:
            seen = _with_counts(seen, systems.source.user_counts(missing))
    return Snapshot(observation=seen, recorded=recorded)


def _with_counts(seen: Observation, more: Iterable[object]) -> Observation:
    from reconciler.model import UnreadableUsers, UserCount  # noqa: PLC0415

    counted = [u for u in more if isinstance(u, UserCount | UnreadableUsers)]
    return replace(seen, user_counts=tuple(sorted((*seen.user_counts, *counted), key=lambda u: u.client_id)))


def load_snapshot(path: Path) -> Snapshot:
    """Read a snapshot file. Raises `PlanFileError`."""
    from reconciler.planning.snapshot import MAKE_ANOTHER, read_snapshot  # noqa: PLC0415

    try:
        data = path.read_bytes()
    except OSError as error:
        raise PlanFileError(f"{path} cannot be read: {error.strerror}.", hint=MAKE_ANOTHER) from error
    snapshot = read_snapshot(data)
    taken = snapshot.observation.taken_at
    tell(f"Nothing is read from INFIMA or HaloPSA: this plan is made from a snapshot of {taken:%Y-%m-%d %H:%M} UTC.")
    return snapshot
