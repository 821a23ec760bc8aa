"""Changes that no test can tell from the code as it is, each with the reason why."""

from __future__ import annotations

EQUIVALENT = {
    "planning.identity": {
        "_conflict: True  ->  False #1": (
            "`strict` guards against lists of different lengths; both are written out with three members"
        ),
    },
    "planning.money": {
        "_decimals: 0  ->  1 #1": "only NaN and infinity have no exponent, and neither is ever an amount",
    },
    "safety.counts": {
        "increases: 0  ->  1 #2": "a new quantity of 0 rises by 1 at most, from a live 0, and that is no update",
    },
    "safety.amounts": {
        "_moves: (result - live) * direction.sign <= 0  ->  (result - live) * direction.sign < 0 #1": (
            "an update whose new quantity is the live one is no update"
        ),
        "_moves: (result - live) * direction.sign  ->  (result - live) // direction.sign #1": (
            "the sign is 1 or -1: to multiply by it is to divide by it"
        ),
    },
    "apply": {
        "_found_bindings: without the operand c.before.id is not None #1": "what a listing showed has an id",
    },
    "planning.observation": {
        "observe: 4  ->  5 #1": "there are four reads: a fifth reader has nothing to read",
        "observe: True  ->  False #1": "four reads on four threads: none of them is still waiting to begin",
    },
    "writing.create": {
        ": 0  ->  1 #2": "`total` is set before anything reads it",
        "Creator._named_by: without the operand answer.subscription_id is None #1": (
            "no listing has a row without an id"
        ),
    },
}
"""By module, and by what `named` calls a change: what `make mutation` prints, and which of those that read the same."""
