"""`reconciler map --suggest`: proposals for all unmapped clients, for a person or a script to look through."""

from __future__ import annotations

import json
from collections.abc import Sequence

from reconciler.cli.output import safe, say, tell
from reconciler.cli.table import show_json
from reconciler.model import HaloCustomer, InfimaClient


def suggest_all(clients: Sequence[InfimaClient], customers: Sequence[HaloCustomer], output: str) -> int:
    """Print the likeliest customers of every client; nothing is asked and nothing is written."""
    from reconciler.answers.matching import likely, propose  # noqa: PLC0415

    found = [(client, propose(client.name, customers, limit=3)) for client in clients]
    if output == "json":
        show_json(
            {
                "suggestions": [
                    {
                        "infima_client": {"id": client.id, "name": client.name, "user_count": client.user_count},
                        "likely": likely(proposals),
                        "halo_customers": [
                            {"id": p.customer.id, "name": p.customer.name, "score": p.score} for p in proposals
                        ],
                    }
                    for client, proposals in found
                ]
            }
        )
        return 0
    tell(f"{len(found)} unmapped INFIMA clients. Proposals only: check each before it goes into mappings.yaml.")
    for client, proposals in found:
        if output == "yaml":
            first = proposals[0].customer if proposals else None
            ref = '{id: 0, name: "?"}  # nobody has a name like that' if first is None else _flow(first.id, first.name)
            others = "; ".join(f"{p.customer.id} {p.customer.name} {p.score}" for p in proposals)
            say(safe(f"  # {others}") if others else "  #")
            say(safe(f"  - infima_client: {_flow(client.id, client.name)}"))
            say(safe(f"    halo_customer: {ref}"))
        else:
            say(safe(f"{client.name} ({client.id})"))
            for p in proposals:
                say(safe(f"  {p.customer.name} ({p.customer.id})  {p.score} of 100"))
    return 0


def _flow(number: int, name: str) -> str:
    return f"{{id: {number}, name: {json.dumps(name, ensure_ascii=False)}}}"
