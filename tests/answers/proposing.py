"""What the tests of proposals share: a world with a file, and what is proposed for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from reconciler.answers.proposals import Proposal, apply_proposals, clients_to_weigh, suggest
from reconciler.model import InfimaClientId
from reconciler.planning.observation import count_more
from reconciler.planning.snapshot import Snapshot
from reconciler.run import read_live
from reconciler.state.recorded import MissingNights, Recorded
from tests.stage import Stage, small_mappings, small_world


class Proposing(Stage):
    """A stage on which everybody is counted, as `propose` does it."""

    def __init__(self, folder: Path, extra: str = "", **changes: str) -> None:
        super().__init__(small_world(), folder, small_mappings(extra, **changes))
        self.missing: dict[int, int] = {}

    def seen(self) -> Snapshot:
        with self.context() as context:
            live = read_live(context)
            wanted = clients_to_weigh(context.mappings, live.observation)
            observation = count_more(context, live.observation, wanted)
        today = self.clock.now().date()
        missing = {
            InfimaClientId(number): MissingNights(first=today - timedelta(days=nights), last=today, nights=nights)
            for number, nights in self.missing.items()
        }
        recorded = replace(live.recorded, missing=missing) if missing else live.recorded
        return Snapshot(observation=observation, recorded=recorded)

    def proposals(self, recorded: Recorded | None = None) -> dict[str, Proposal]:
        seen = self.seen()
        found = suggest(self.mappings(), seen.observation, recorded or seen.recorded, text=self.text)
        return {one.key: one for one in found}

    def write(self, proposals: Iterable[Proposal]) -> None:
        self.text = apply_proposals(self.text, list(proposals))
