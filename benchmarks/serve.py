"""The simulator as a process of its own, for measuring: `serve.py CLIENTS LATENCY_MS unchanged|changed|empty`.

Prints its environment as one line of JSON. Each line on stdin is answered with the requests per endpoint since the
last one, and puts the world back as it was.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from copy import deepcopy

from reconciler.clock import SystemClock
from reconciler.simulator.server import Server
from reconciler.simulator.worlds import scaled_world

SHARES = {"unchanged": 0.0, "changed": 0.1, "empty": 0.0}


def main(clients: str, latency: str, story: str) -> None:
    """Serve until stdin closes."""
    world = scaled_world(int(clients), marked=story != "empty", changed=SHARES[story], clock=SystemClock())
    before = deepcopy(world.licences)
    with Server(world, latency_ms=float(latency)) as server:
        print(json.dumps(dict(server.environment())), flush=True)  # noqa: T201
        for _ in sys.stdin:
            with world.lock:
                counts = Counter(str(request.endpoint) for request in world.requests)
                world.requests.clear()
                world.mutations.clear()
                world.licences.clear()
                world.licences.update(deepcopy(before))
            print(json.dumps(counts), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
