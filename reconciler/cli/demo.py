"""`reconciler demo`: the whole story on the simulator, with the very commands that a person would type."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from reconciler.cli.drawing import wants_colour
from reconciler.cli.options import CommonOptions, common_options
from reconciler.cli.output import flush, say, tell
from reconciler.clock import SystemClock
from reconciler.errors import ExitCode
from reconciler.simulator.roster import demo_mappings_yaml
from reconciler.simulator.server import Server
from reconciler.simulator.worlds import demo_world, night_passes

COMMAND_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One step of the story: what is told, what is typed, and the exit code that belongs to it."""

    told: str
    typed: tuple[str, ...]
    ends_with: int = 0
    night_before: bool = False


STORY = (
    Scene(told="1. Is mappings.yaml in order? No network is needed for that.", typed=("validate",)),
    Scene(told="2. What would change? `plan` reads both systems and never writes.", typed=("plan",)),
    Scene(
        told="3. Do it. New Subscriptions are created at 0, found again, written down, and only then counted.",
        typed=("apply", "--auto-approve"),
    ),
    Scene(told="4. And again: a run that finds nothing to do writes nothing.", typed=("plan",)),
    Scene(
        told=(
            "5. A night passes. People join and leave; one client suddenly counts nobody, one customer goes inactive\n"
            "   in HaloPSA, somebody renames a Subscription, and a client appears that nobody has mapped.\n"
            "   The nightly run applies what is safe, holds what is not, and says why."
        ),
        typed=("apply", "--auto-approve"),
        ends_with=3,
        night_before=True,
    ),
    Scene(
        told=(
            "   Exit code 3: something was held. Every hold names its remedy; the rest of the night is done.\n\n"
            "6. Another night. A client appears, one gets another name, and somebody makes a Subscription by hand.\n"
            "   Each is an edit of mappings.yaml. `propose` finds them, with its reasons and what would come of them."
        ),
        typed=("propose",),
        night_before=True,
    ),
    Scene(
        told="7. Write them, the likely one too. No other byte of the file moves.",
        typed=("propose", "--write", "--likely"),
    ),
)


@click.command()
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
    help="Keep mappings.yaml and the state of the demo in FOLDER.  [default: a temporary folder, removed at the end]",
)  # fmt: skip
@common_options
@click.pass_obj
def demo(options: CommonOptions, *, keep: Path | None) -> int:
    """Tell the whole story on the simulator: plan, apply, no changes, a night, what is held and why, what is proposed.

    The simulator answers as INFIMA and HaloPSA over real HTTP on 127.0.0.1. Nothing leaves this machine.

    \b
    Examples:
      reconciler demo
      reconciler demo --keep demo-work
    """
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        return _tell_story(options, keep)
    with tempfile.TemporaryDirectory(prefix="reconciler-demo-") as folder:
        return _tell_story(options, Path(folder))


def _tell_story(options: CommonOptions, folder: Path) -> int:
    for standing in (folder / ".reconciler", folder / "mappings.yaml"):
        if standing.exists():  # of an earlier demo, whose world no longer exists, or a real one: neither is touched
            tell(f"{standing} is there already. Name a new folder with --keep.")
            return ExitCode.ERROR
    (folder / "mappings.yaml").write_text(demo_mappings_yaml(), encoding="utf-8")
    with Server(demo_world(clock=SystemClock())) as server:
        say(
            "reconciler keeps HaloPSA Subscription quantities equal to INFIMA's active-user counts.\n"
            f"The simulator answers as INFIMA on {server.infima_url} and as HaloPSA on {server.halo_url}.\n"
        )
        for scene in STORY:
            if scene.night_before:
                night_passes(server.world)
            code = _play(scene, server, folder, colour=wants_colour(options))
            if code is None:
                return ExitCode.DONE
            if code != scene.ends_with:
                tell(f"The demo ended early: `reconciler {' '.join(scene.typed)}` exited with {code}.")
                return ExitCode.ERROR
    say(
        "\nThe next apply creates one Subscription, and takes over the one that was made by hand.\n"
        'Next: README.md, "Five minutes to real use".'
    )
    return 0


def _play(scene: Scene, server: Server, folder: Path, *, colour: bool) -> int | None:
    """The command's exit code; None where nobody reads the story any more."""
    say(f"\n{scene.told}\n\n$ reconciler {' '.join(scene.typed)}")
    if not flush():
        return None
    words = ["--mappings", "mappings.yaml", "--state", "directory:.reconciler", "--quiet"]
    words += ["--color", "always" if colour else "never", *scene.typed]
    done = subprocess.run(  # noqa: S603 - our own program, fixed words, no shell
        [sys.executable, "-m", "reconciler", *words],
        cwd=folder,
        env=_environment(server.environment()),
        timeout=COMMAND_SECONDS,
        check=False,
    )
    return done.returncode


def _environment(simulator: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without any real system's variables, so that the demo can reach none."""
    real = ("HALO_", "INFIMA_", "RECONCILER_", "GITHUB_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(real)}
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, [own.get("PYTHONPATH")])]
    return own | dict(simulator) | {"PYTHONPATH": os.pathsep.join(paths)}
