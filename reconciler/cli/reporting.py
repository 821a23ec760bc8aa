"""What the commands of `reconciler ci` share: the result they read, the files and services they write to."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from random import SystemRandom
from typing import Any

import click

from reconciler.cli.options import INPUT_FILE, CommonOptions
from reconciler.cli.output import say, tell
from reconciler.cli.past import load_usable, zone_of
from reconciler.cli.wiring import progress
from reconciler.clock import SystemClock
from reconciler.errors import PlanFileError
from reconciler.forge import notify, words
from reconciler.forge.github import GitHub
from reconciler.forge.github_api import read_place
from reconciler.forge.notify import Notice
from reconciler.forge.result import NO_RESULT, Result, read_result
from reconciler.http.connections import kept_connections
from reconciler.http.waiting import Deadline
from reconciler.render.annotations import annotation

FORGE_SECONDS = 300
"""Total time for one report to a forge."""

MAX_RESULT_BYTES = 60_000_000


result_option = click.option(
    "--result", "result_file", type=INPUT_FILE, metavar="FILE", required=True,
    help="What `plan -o json` or `apply -o json` printed. A missing or empty file is a run without a result.",
)  # fmt: skip


def read(path: Path) -> Result:
    """The result in the file. A file that does not exist is a run without a result; raises `PlanFileError`."""
    try:
        with path.open("rb") as file:
            return read_result(file.read(MAX_RESULT_BYTES))
    except FileNotFoundError:
        return read_result(None)
    except OSError as error:
        raise PlanFileError(f"{path} cannot be read: {error.strerror}.") from error


def _origin() -> words.Origin:
    """This job, now, as the clocks of settings.timezone show it."""
    zone = zone_of(load_usable(click.get_current_context().ensure_object(CommonOptions)))
    return words.origin(os.environ, SystemClock().now().astimezone(zone))


def body_of(result: Result, occasion: str) -> Callable[[int], str]:
    """The text for people, for a number of characters."""
    about, where = words.Occasion(occasion), _origin()
    return lambda limit: words.body(result, about, where, limit=limit)


def notice_of(result: Result, occasion: str, mappings: Path) -> Notice:
    """The message for people, in whatever markup and size each service wants.

    The folder of mappings.yaml tells one instance of many (docs/fleet.md) from the others.
    """
    about, where = words.Occasion(occasion), _origin()
    instance = "" if mappings.is_absolute() or mappings.parent == Path() else mappings.parent.as_posix()
    return Notice(
        title=notify.title(result, about, instance),
        draw=lambda markup, limit: notify.body(result, about, where, markup, limit=limit),
        kind=notify.urgency(result),
    )


def headline(result: Result) -> tuple[str, str]:
    """The level of an annotation and its sentence, without names."""
    if result.verdict.came_to_its_end:
        waiting = f"{result.attention} need attention: see the summary of this run."
        return ("warning", waiting) if result.attention else ("notice", "Nothing needs attention.")
    told = NO_RESULT.error.message if result is NO_RESULT and NO_RESULT.error else f"Reason: {result.reason}."
    return "error", f"{told} See the summary of this run."


def listed(names: str) -> tuple[str, ...]:
    """Names separated by commas, as a variable of a workflow holds them."""
    return tuple(filter(None, (name.strip().removeprefix("@") for name in names.split(","))))


def github_of(options: CommonOptions) -> AbstractContextManager[GitHub]:
    """The repository that the environment names, for a `with`. Raises `UsageError`."""
    return closing(GitHub(read_place(os.environ), **forge_tools(options)))


def forge_tools(options: CommonOptions) -> dict[str, Any]:
    """A clock that ends after FORGE_SECONDS, and a way to reach the network."""
    clock = SystemClock(options.stopper.event)
    deadline = Deadline(clock=clock, observer=progress(options), ends_at=clock.monotonic() + FORGE_SECONDS)
    return {"deadline": deadline, "factory": kept_connections(1), "rng": SystemRandom()}


def annotate(level: str, title: str, message: str) -> None:
    """A workflow command on GitHub, a plain line elsewhere. Our own words only."""
    if os.environ.get("GITHUB_ACTIONS"):
        say(annotation(level, title, message))
    else:
        tell(f"{title}: {message}")


def append_to(variable: str, text: str) -> bool:
    """Append to the file that the variable names; False where it names none."""
    path = os.environ.get(variable, "")
    if not path:
        return False
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise PlanFileError(f"The file of {variable} cannot be written: {error.strerror}.") from error
    return True


def summarise(text: str) -> None:
    """Write it where GitHub shows a step's summary, or to stdout where there is no such place."""
    if not append_to("GITHUB_STEP_SUMMARY", text):
        say(text)
