"""Three months of the demo's partner on the virtual clock, and pictures of what the program says about them.

`python -m tests.pictures FOLDER` writes report.html and, where a Chromium is at hand, its pictures.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.text import Text

from reconciler import __version__
from reconciler.errors import ReconcilerError
from reconciler.history.account import changes_by_key
from reconciler.history.months import month_of
from reconciler.history.timeline import draw_timeline
from reconciler.plan_document import plan_document, with_outcomes
from reconciler.planning.observation import PlanOptions
from reconciler.planning.rules import Allowance, Rule
from reconciler.render.html import draw_report
from reconciler.render.html_time import Background
from reconciler.render.pen import Pen
from reconciler.render.terminal import render_plan
from reconciler.run import Finished
from reconciler.simulator.worlds import demo_world, night_passes
from tests.clock import VirtualClock
from tests.faults.kinds import Fault, FaultKind, Faults
from tests.render.browser import FOUND, MISSING
from tests.stage import Stage

ROOT = Path(__file__).parent.parent
FIRST_NIGHT = datetime(2026, 8, 30, 5, 17, tzinfo=UTC)
NIGHTS = 84
SECONDS = 60
DOWN = (Fault(kind=FaultKind.UNAVAILABLE, at="infima.*", times=1000),)


def autumn(folder: Path, *, nights: int = NIGHTS) -> tuple[Stage, Finished]:
    """Nights in which people join and leave, one edit of mappings.yaml, two failures, and a last one with holds."""
    world = demo_world(clock=VirtualClock(FIRST_NIGHT))
    stage = Stage(world, folder, (ROOT / "mappings.yaml").read_text(encoding="utf-8"))
    finished = stage.apply(PlanOptions(allowances=(Allowance(rule=Rule.MANY_CREATES, reason="first run"),)))
    for night in range(1, nights):
        stage.clock.sleep((FIRST_NIGHT + timedelta(days=night) - stage.clock.now()).total_seconds())
        if night == nights // 2:
            stage.text += "# reviewed in October\n"
        world.nights = 0 if night == nights - 1 else night  # the story's first night is this one's last
        night_passes(world)
        stage.faults = Faults(DOWN if night in {nights // 3, 2 * nights // 3} else ())
        with suppress(ReconcilerError):
            finished = stage.apply()
    (folder / "mappings.yaml").write_text(stage.text, encoding="utf-8")
    return stage, finished


def draw(folder: Path) -> None:
    """Write report.html, plan.html and the pictures into `folder`."""
    with tempfile.TemporaryDirectory() as place:
        stage, finished = autumn(Path(place))
        shown = plan_document(finished.plan, version=__version__)
        outcome = with_outcomes(shown, finished.plan, finished.applied.outcomes, finished.verdict)
        runs, snapshots = stage.store().history.runs(), stage.store().history.snapshots()  # type: ignore[attr-defined]
        now = stage.clock.now() + timedelta(hours=3)
        around = Background(
            now=now,
            month=month_of(now),
            runs=runs,
            timeline=draw_timeline(runs, snapshots),
            by_key=changes_by_key(runs),
        )
        (folder / "report.html").write_text(draw_report(around, outcome), encoding="utf-8")
        (folder / "terminal.svg").write_text(picture_of_terminal(finished), encoding="utf-8")


def picture_of_terminal(finished: Finished) -> str:
    """What `plan` prints in a terminal, as a drawing."""
    document = plan_document(finished.plan, version=__version__)
    text = render_plan(document, Pen(verbose=False, colour=True, width=130, encoding="utf-8"))
    console = Console(width=132, record=True, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"$ reconciler plan\n\n{text}"), soft_wrap=True)
    drawing = console.export_svg(title="reconciler plan", unique_id="plan")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL)  # a picture fetches no fonts from anywhere


def photograph(page: Path, picture: Path, *, width: int, height: int, browser: str, dark: bool = False) -> None:
    """A picture of a local page in a headless browser of that size."""
    words = [
        browser,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--force-color-profile=srgb",
        f"--window-size={width},{height}",
        f"--screenshot={picture}",
        *(["--blink-settings=preferredColorScheme=0"] if dark else []),
        page.absolute().as_uri(),
    ]
    subprocess.run(words, check=True, capture_output=True, timeout=SECONDS)


if __name__ == "__main__":
    [_, target] = sys.argv
    goal = Path(target)
    goal.mkdir(parents=True, exist_ok=True)
    draw(goal)
    if FOUND is None:
        sys.exit(f"The report's picture needs Chromium, the page itself is there: {MISSING}.")
    photograph(goal / "report.html", goal / "report.png", width=1200, height=2160, browser=FOUND)
    (goal / "report.html").unlink()
