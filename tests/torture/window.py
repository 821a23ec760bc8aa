"""The edit window (FAULTS H24): the time between the last read of a row and the POST that writes it, over real HTTP.

It cannot be closed: Halo offers no conditional write. It is measured from the server's own log, on loopback, and so
leaves out the network's time.
"""

from __future__ import annotations

from reconciler.simulator.records import Endpoint
from tests.torture.processes import Workshop


def measure(runs: int) -> list[float]:
    """Milliseconds, ascending, one for each write of that many runs of the real command."""
    found: list[float] = []
    shop = Workshop()
    try:
        for number in range(runs):
            shop.world.person_sets_count(9001, 12 + number % 2)  # something to write in each run
            first = len(shop.world.requests)
            shop.run()
            records = shop.world.requests[first:]
            for record in records:
                listed = [r.time for r in records if r.endpoint is Endpoint.LICENCES and r.number < record.number]
                if record.endpoint is Endpoint.WRITE and '"id"' in record.body and listed:
                    found.append((record.time - listed[-1]).total_seconds() * 1000)
    finally:
        shop.close()
    return sorted(found)


def percentile(values: list[float], percent: int) -> float:
    """The nearest-rank percentile of ascending values."""
    return values[max(0, -(-len(values) * percent // 100) - 1)]
