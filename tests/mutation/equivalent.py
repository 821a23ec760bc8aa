"""Changes that no test can tell from the code as it is, each with the reason why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tests.mutation.mutants import Mutant


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalent:
    """A change that changes no behaviour. `what` is as `make mutation` prints it; `nth` of those that read the same."""

    module: str
    function: str
    what: str
    why: str
    nth: int = 1

    @property
    def name(self) -> str:
        """As `named` calls the mutant."""
        return f"{self.function}: {self.what} #{self.nth}"


EQUIVALENT: tuple[Equivalent, ...] = (
    Equivalent(
        module="planning.identity",
        function="_conflict",
        what="True  ->  False",
        why="`strict` guards against lists of different lengths; both are written out with three members",
    ),
    Equivalent(
        module="planning.money",
        function="_decimals",
        what="0  ->  1",
        why="only NaN and infinity have no exponent, and neither is ever an amount",
    ),
    Equivalent(
        module="safety.counts",
        function="increases",
        what="0  ->  1",
        why="a new quantity of 0 rises by 1 at most, from a live 0, and that is no update",
        nth=2,
    ),
    Equivalent(
        module="safety.amounts",
        function="_moves",
        what="(result - live) * direction.sign <= 0  ->  (result - live) * direction.sign < 0",
        why="an update whose new quantity is the live one is no update",
    ),
    Equivalent(
        module="safety.amounts",
        function="_moves",
        what="(result - live) * direction.sign  ->  (result - live) // direction.sign",
        why="the sign is 1 or -1: to multiply by it is to divide by it",
    ),
    Equivalent(
        module="apply",
        function="_unchanged",
        what="without the operand c.before.id is not None",
        why="what a listing showed has an id",
    ),
    Equivalent(
        module="apply",
        function="_unchanged",
        what="without the operand c.before.count is not None",
        why="a row without a whole number is held by a rule that nobody can lift, so it never counts as unchanged",
    ),
    Equivalent(
        module="apply",
        function="_found_bindings",
        what="without the operand c.before.id is not None",
        why="what a listing showed has an id",
    ),
    Equivalent(
        module="planning.observation",
        function="observe",
        what="4  ->  5",
        why="there are four reads: a fifth reader has nothing to read",
    ),
    Equivalent(
        module="planning.observation",
        function="observe",
        what="True  ->  False",
        why="four reads on four threads: none of them is still waiting to begin",
    ),
    Equivalent(
        module="writing.create", function="", what="0  ->  1", why="`total` is set before anything reads it", nth=2
    ),
    Equivalent(
        module="writing.create",
        function="Creator._named_by",
        what="without the operand answer.subscription_id is None",
        why="no listing has a row without an id",
    ),
)


def excused(module: str) -> dict[str, str]:
    """The names of a module's equivalent mutants, each with its reason."""
    return {each.name: each.why for each in EQUIVALENT if each.module == module}


def named(mutants: Iterable[Mutant]) -> dict[tuple[int, str], str]:
    """A name for each mutant, by its place and what it does, that survives edits elsewhere in the file."""
    seen: Counter[str] = Counter()
    names = {}
    for mutant in mutants:
        text = f"{mutant.function}: {mutant.what}"
        seen[text] += 1
        names[mutant.place, mutant.what] = f"{text} #{seen[text]}"
    return names
