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


EQUIVALENT: tuple[Equivalent, ...] = ()


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
