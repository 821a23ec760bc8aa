"""What a plan says of probes: one that was cut off, a marker field that the last one has seen fail."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Mappings, MarkerField, Recorded
from reconciler.moments import spelled
from reconciler.planning.rules import probe_command


def probe_warnings(mappings: Mappings, recorded: Recorded, *, halo_url: str) -> Iterator[str]:
    """Sentences for people, each with its next step."""
    for probe in recorded.probes:
        began = spelled(probe.recorded_at, mappings.settings.timezone)
        again = probe_command(str(probe.customer_id))
        yield f"a probe of {began} was cut off, or did not see all that it made stand at 0. Run again: {again}"
    field, lost = str(mappings.settings.marker_field), recorded.halo.of(halo_url).lost_markers
    if field in lost:  # it is then no second witness of a binding
        kept = next(str(other) for other in MarkerField if str(other) not in lost)
        setting = f"settings: {{marker_field: {kept}}}"
        yield f"by the last probe HaloPSA does not keep a marker in {field}: write {setting} into mappings.yaml"
