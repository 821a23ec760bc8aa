"""The commands that remedies name, spelled so that they work when they are pasted, in CI as on a terminal."""

from __future__ import annotations

from reconciler.model import MappingKey, SubscriptionId


def adopt_command(key: MappingKey, number: SubscriptionId) -> str:
    """The command that binds a mapping to a Subscription which exists."""
    return f"reconciler adopt {key} {number} --reason '...' --yes"


def adopt_another(key: MappingKey) -> str:
    """The same where a person has to say which one: ID stands for its number."""
    return f"reconciler adopt {key} ID --reason '...' --yes"


def resolved_by(key: MappingKey, number: SubscriptionId) -> str:
    """The command that says what a create without an answer has made."""
    return f"reconciler resolve {key} --adopt {number} --reason '...' --yes"


def abandon_command(key: MappingKey) -> str:
    """The command that forgets a create without an answer."""
    return f"reconciler resolve {key} --abandon --reason '...' --yes"


def recreate_command(key: MappingKey) -> str:
    """The command that gives a Subscription up which is gone."""
    return f"reconciler resolve {key} --recreate --reason '...' --yes"
