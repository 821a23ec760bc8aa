"""The control address of the served simulator: its log, its world, and edits of it between two runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from reconciler.simulator.answers import reply
from reconciler.simulator.saved import world_document
from reconciler.simulator.switches import Switches
from reconciler.simulator.world import World

CONTROL_PREFIX = "/_simulator/"
CONTROL_HEADER = "X-Simulator-Control"
"""Has to be sent, with any value: a page in a browser cannot send it to another origin."""

ASK_SECONDS = 10.0

Night = Callable[[World], object]
EDITS = ("person_", "users_")
"""Beginnings of the world's methods that may be called from outside."""


def control(world: World, request: httpx.Request, night: Night | None) -> httpx.Response:
    """Answer a request under `/_simulator/`; it is not part of the world's log."""
    if CONTROL_HEADER not in request.headers:
        return reply(403, {"message": f"the header {CONTROL_HEADER} is missing"})
    command = f"{request.method} {request.url.path.removeprefix(CONTROL_PREFIX)}"
    with world.lock:
        world.run_due()
        try:
            return reply(200, _perform(world, command, request, night))
        except (KeyError, ValueError, TypeError, AttributeError) as problem:
            return reply(400, {"message": str(problem)})


def _perform(world: World, command: str, request: httpx.Request, night: Night | None) -> Any:
    match command:
        case "GET log":
            return {
                "requests": [record.to_json() for record in world.requests],
                "mutations": [mutation.to_json() for mutation in world.mutations],
            }
        case "GET world":
            return world_document(world)
        case "POST night":
            if night is None:
                raise ValueError("no night was given to this server")
            night(world)
            return {"nights": world.nights}
        case "POST edit":
            asked = json.loads(request.content)
            name = str(asked["method"])
            if not name.startswith(EDITS):
                raise ValueError(f"not an edit: {name}")
            return {"result": getattr(world, name)(*asked.get("arguments", []), **asked.get("options", {}))}
        case "POST switches":
            world.switches = Switches.from_json(world.switches.to_json() | json.loads(request.content))
            world.encoded.clear()
            return world.switches.to_json()
        case _:
            raise ValueError(f"no such command: {command}")


def ask(url: str, verb: str, command: str, /, **body: Any) -> Any:
    """Ask a running simulator, from another process. Raises `httpx.HTTPError` and `ValueError`."""
    with httpx.Client(trust_env=False, timeout=ASK_SECONDS) as client:
        address = f"{url.rstrip('/')}{CONTROL_PREFIX}{command}"
        answer = client.request(verb, address, headers={CONTROL_HEADER: "1"}, json=body or None)
    answer.raise_for_status()
    return answer.json()
