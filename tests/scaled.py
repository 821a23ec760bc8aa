"""mappings.yaml for a world of any size, for tests and benchmarks."""

from __future__ import annotations

from reconciler.simulator.world import World


def scaled_mappings_yaml(world: World, *, count: str = "active_users") -> str:
    """mappings.yaml for a scaled world, with as many creates allowed as it has clients."""
    lines = [
        "version: 1",
        f"defaults: {{quantity: {{count: {count}}}}}",
        f"limits: {{max_creates: {max(len(world.infima_clients), 1)}}}",
        "mappings:",
    ]
    pairs = zip(sorted(world.infima_clients), sorted(world.customers), strict=True)
    for client_id, customer_id in pairs:
        name, customer = world.infima_clients[client_id].name, world.customers[customer_id]["name"]
        lines.append(f'  - infima_client: {{id: {client_id}, name: "{name}"}}')
        lines.append(f'    halo_customer: {{id: {customer_id}, name: "{customer}"}}')
    return "\n".join(lines) + "\n"
