"""The safety rules' names, levels, whether a person may lift them (DESIGN 8), and the commands that remedies name.

The rules themselves: `safety/`. Commands are spelled so that they work when they are pasted, in CI as on a terminal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal

from reconciler.model import MappingKey, SubscriptionId


class Level(StrEnum):
    """What a violation stops: the whole run before its first write, or the one mapping."""

    RUN = "run"
    MAPPING = "mapping"


class Rule(StrEnum):
    """Every safety rule, run level first."""

    SOURCE_EMPTY = "source-empty"
    SOURCE_DROPPED = "source-dropped"
    MANY_CREATES = "many-creates"
    WRONG_TENANT = "wrong-tenant"
    HALO_UNFIT = "halo-unfit"
    AMOUNTS_DROP = "amounts-drop"
    AMOUNTS_RISE = "amounts-rise"
    ZERO = "zero"
    DECREASE = "decrease"
    INCREASE = "increase"
    AMOUNT_DECREASE = "amount-decrease"
    AMOUNT_INCREASE = "amount-increase"
    FALLING = "falling"
    CONTRACT_EXPIRED = "contract-expired"
    CLIENT_MISSING = "client-missing"
    CUSTOMER_INACTIVE = "customer-inactive"
    CUSTOMER_UNKNOWN = "customer-unknown"
    NAME_MISMATCH = "name-mismatch"
    NAME_SWAPPED = "name-swapped"
    CLIENT_UNREADABLE = "client-unreadable"
    SUBSCRIPTION_GONE = "subscription-gone"
    MOVED = "moved"
    IDENTITY_CONFLICT = "identity-conflict"
    DUPLICATE_MARKER = "duplicate-marker"
    SAME_NAME = "same-name"
    RESEMBLES = "resembles"
    STATE_LOST = "state-lost"
    ATTEMPT_OPEN = "attempt-open"
    STATE_NOT_DURABLE = "state-not-durable"

    @property
    def level(self) -> Level:
        """Whether a violation refuses the run or holds the mapping."""
        return Level.RUN if self in RUN_RULES else Level.MAPPING

    @property
    def liftable(self) -> bool:
        """False where lifting makes no sense: there is no number, no one object, or no safe way to write it."""
        return self not in FIRM_RULES

    @property
    def approvable(self) -> bool:
        """True where an entry of `approvals` in mappings.yaml may lift it beforehand (DESIGN 8)."""
        return self in APPROVABLE_RULES


RUN_RULES = frozenset(
    {Rule.SOURCE_EMPTY, Rule.SOURCE_DROPPED, Rule.MANY_CREATES, Rule.WRONG_TENANT, Rule.HALO_UNFIT}
    | {Rule.AMOUNTS_DROP, Rule.AMOUNTS_RISE}
)
FIRM_RULES = frozenset(
    {Rule.HALO_UNFIT, Rule.CONTRACT_EXPIRED, Rule.CLIENT_MISSING, Rule.CLIENT_UNREADABLE, Rule.CUSTOMER_UNKNOWN}
    | {Rule.SUBSCRIPTION_GONE, Rule.MOVED, Rule.IDENTITY_CONFLICT, Rule.DUPLICATE_MARKER, Rule.ATTEMPT_OPEN}
)
APPROVABLE_RULES = frozenset(
    {Rule.MANY_CREATES, Rule.SOURCE_DROPPED, Rule.AMOUNTS_DROP, Rule.AMOUNTS_RISE, Rule.ZERO, Rule.DECREASE}
    | {Rule.INCREASE, Rule.FALLING, Rule.AMOUNT_DECREASE, Rule.AMOUNT_INCREASE, Rule.CUSTOMER_INACTIVE}
    | {Rule.NAME_MISMATCH, Rule.RESEMBLES}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """`--allow RULE[:KEY] --reason TEXT`: lifts one rule for this run; for one mapping where `key` is given."""

    rule: Rule
    reason: str
    key: str | None = None

    def covers(self, rule: Rule, key: str) -> bool:
        """True when this allowance lifts that rule for that mapping (an empty key for a run-level rule)."""
        return self.rule is rule and self.key in (None, key)


def allow_command(key: str, *rules: Rule) -> str:
    """The command that lifts these rules for one run: for the mapping `key`, or for the whole run where it is empty."""
    options = " ".join(f"--allow {rule}{f':{key}' if key else ''}" for rule in rules)
    return f"reconciler apply {options} --reason '...'"


def approve_command(name: str, until: date) -> str:
    """The command that writes an approval of what is held now into mappings.yaml, for a reviewer to agree to.

    `name` is the mapping's key, or the rule where it is about the whole run.
    """
    return f"reconciler approve {name} --until {until.isoformat()} --reason '...'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """What is wrong with one mapping, found before anyone decided what follows from it."""

    rule: Rule
    message: str
    remedy: str
    measured: int | None = None
    limit: int | None = None


def adopt_command(key: MappingKey, number: SubscriptionId | Literal["ID"] = "ID") -> str:
    """The command that binds a mapping to a Subscription which exists; ID stands for one that a person has to find."""
    return f"reconciler adopt {key} {number} --reason '...' --yes"


def probe_command(customer: str = "ID") -> str:
    """The command that asks HaloPSA itself; ID stands for a throw-away customer."""
    return f"reconciler probe --customer {customer}"


def move_command() -> str:
    """The command that takes the state to another place: PLACE is what --state names there."""
    return "reconciler state move --to PLACE"


def resolved_by(key: MappingKey, number: SubscriptionId) -> str:
    """The command that says what a create without an answer has made."""
    return f"reconciler resolve {key} --adopt {number} --reason '...' --yes"


def abandon_command(key: MappingKey) -> str:
    """The command that forgets a create without an answer."""
    return f"reconciler resolve {key} --abandon --reason '...' --yes"


def recreate_command(key: MappingKey) -> str:
    """The command that gives a Subscription up which is gone."""
    return f"reconciler resolve {key} --recreate --reason '...' --yes"


def attached_command(key: str) -> str:
    """The command that says a Subscription is on a recurring invoice, where no look can show it."""
    return f"reconciler resolve {key} --attached --reason '...' --yes"
