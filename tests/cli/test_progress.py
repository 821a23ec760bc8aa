"""Progress on stderr: courteous, never in the way."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
import unicodedata

import pytest

from reconciler.cli.progress import ProgressObserver, progress_observer
from reconciler.events import Event, Noticed, PhaseAdvanced, PhaseFinished, PhaseStarted, Waiting, WriteSettled
from reconciler.model import MappingKey
from tests.render.hostile import thousand_names

READING = "Reading INFIMA clients"


class Monotonic:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    """A stream whose reader has gone; it remembers how often somebody tried."""

    tried = 0

    def write(self, text: str) -> int:
        self.tried += 1
        raise BrokenPipeError


@pytest.fixture
def clock() -> Monotonic:
    return Monotonic()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def observe(stream: io.StringIO, clock: Monotonic) -> ProgressObserver:
    return progress_observer(stream=stream, monotonic=clock)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


# --- lines -----------------------------------------------------------------------------------------------------------


def test_phase_ends_with_one_line(observe: ProgressObserver, stream: io.StringIO, clock: Monotonic) -> None:
    observe(PhaseStarted(phase=READING))
    clock.now += 1.2
    observe(PhaseFinished(phase=READING, detail="412 clients"))
    assert stream.getvalue() == "Reading INFIMA clients ... 412 clients (1.2 s)\n"


def test_phase_without_detail_is_done(observe: ProgressObserver, stream: io.StringIO) -> None:
    observe(PhaseStarted(phase="Verifying"))
    observe(PhaseFinished(phase="Verifying"))
    assert stream.getvalue() == "Verifying ... done (0.0 s)\n"


def test_long_phase_says_how_far_it_is_every_ten_seconds(
    observe: ProgressObserver, stream: io.StringIO, clock: Monotonic
) -> None:
    observe(PhaseStarted(phase="Counting", total=412))
    for done in range(1, 26):
        clock.now += 1
        observe(PhaseAdvanced(phase="Counting", done=done, total=412))
    assert stream.getvalue() == ("Counting ... 10 of 412, about 7 min left\nCounting ... 20 of 412, about 7 min left\n")


def told_after(elapsed: float, done: int, total: int | None, *, at_least: float = 0.0) -> str:
    """The line about a phase that has been going on for `elapsed` seconds."""
    stream, clock = io.StringIO(), Monotonic()
    observe = progress_observer(stream=stream, monotonic=clock)
    observe(PhaseStarted(phase="Creating", total=total, at_least=at_least))
    clock.now += elapsed
    observe(PhaseAdvanced(phase="Creating", done=done, total=total))
    return stream.getvalue().strip()


def test_what_comes_late_of_a_phase_that_is_over_silences_nothing(
    observe: ProgressObserver, stream: io.StringIO, clock: Monotonic
) -> None:
    observe(PhaseStarted(phase="Counting", total=2))
    observe(PhaseFinished(phase="Counting"))
    clock.now += 20
    observe(PhaseAdvanced(phase="Counting", done=1, total=2))
    observe(Noticed(message="look here"))
    assert stream.getvalue().splitlines()[1:] == ["Note: look here"]


def test_what_is_left_follows_from_the_pace() -> None:
    assert told_after(20, 100, 400) == "Creating ... 100 of 400, about 1 min left"
    assert told_after(20, 100, 390) == "Creating ... 100 of 390, about 58 s left"
    assert told_after(20, 389, 390) == "Creating ... 389 of 390, about 1 s left"


def test_what_is_left_is_never_less_than_the_request_budget_permits() -> None:
    """240 posts go out in seconds, and the next wait is minutes away: pace alone would promise a minute."""
    assert told_after(12, 240, 2_000, at_least=2_400) == "Creating ... 240 of 2000, about 40 min left"
    assert told_after(1_500, 1_200, 2_000, at_least=2_400) == "Creating ... 1200 of 2000, about 17 min left"


@pytest.mark.parametrize(
    ("done", "total", "words"), [(0, 5, "0 of 5"), (5, 5, "5 of 5"), (6, 5, "6 of 5"), (3, None, "3")]
)
def test_nothing_is_promised_without_a_pace_or_an_end(done: int, total: int | None, words: str) -> None:
    assert told_after(20, done, total) == f"Creating ... {words}"


def test_phases_side_by_side_keep_their_own_time(
    observe: ProgressObserver, stream: io.StringIO, clock: Monotonic
) -> None:
    observe(PhaseStarted(phase="A"))
    clock.now += 1
    observe(PhaseStarted(phase="B"))
    clock.now += 2
    observe(PhaseFinished(phase="B", detail="b"))
    observe(PhaseFinished(phase="A", detail="a"))
    assert stream.getvalue() == "B ... b (2.0 s)\nA ... a (3.0 s)\n"


def test_waiting_is_told_with_its_reason_but_not_over_and_over(
    observe: ProgressObserver, stream: io.StringIO, clock: Monotonic
) -> None:
    observe(Waiting(seconds=0.2, reason="too short"))
    observe(Waiting(seconds=12, reason="HaloPSA's request budget is used up"))
    clock.now += 5
    observe(Waiting(seconds=12, reason="again"))
    clock.now += 5
    observe(Waiting(seconds=3, reason="still"))
    assert stream.getvalue() == "Waiting 12 s: HaloPSA's request budget is used up\nWaiting 3 s: still\n"


def test_only_writes_that_went_wrong_are_told(observe: ProgressObserver, stream: io.StringIO) -> None:
    for outcome in ("applied", "unchanged", "held", "failed"):
        observe(WriteSettled(key=MappingKey("infima-101"), outcome=outcome, message="HaloPSA said no"))
    assert stream.getvalue() == "Mapping infima-101 failed: HaloPSA said no\n"


def test_quiet_lets_only_notes_through(stream: io.StringIO) -> None:
    observe = progress_observer(quiet=True, stream=stream)
    for event in (PhaseStarted(phase="A"), PhaseFinished(phase="A"), Waiting(seconds=60, reason="x")):
        observe(event)
    observe(Noticed(message="the state is new"))
    assert stream.getvalue() == "Note: the state is new\n"


# --- never in the way ------------------------------------------------------------------------------------------------


def every_event(name: str) -> tuple[Event, ...]:
    return (
        PhaseStarted(phase=name),
        PhaseAdvanced(phase=name, done=1),
        Waiting(seconds=5, reason=name),
        Noticed(message=name),
        WriteSettled(key=MappingKey(name), outcome="failed", message=name),
        PhaseFinished(phase=name, detail=name),
    )


def test_closed_stderr_raises_nothing_and_is_not_tried_again() -> None:
    stream = Broken()
    observe = progress_observer(stream=stream)
    for event in every_event("A") * 3:
        observe(event)
    observe.close()
    assert stream.tried == 1


def test_broken_terminal_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(Broken, "isatty", lambda _self: True)
    observe = progress_observer(stream=Broken())
    for event in every_event("A"):
        observe(event)
    observe.close()


def test_hostile_names_stay_on_their_line(stream: io.StringIO) -> None:
    clock = Monotonic()
    observe = progress_observer(stream=stream, monotonic=clock)
    for name in thousand_names():
        for event in every_event(name):
            clock.now += 20
            observe(event)
    for line in stream.getvalue().split("\n"):
        assert not line.lstrip().startswith("::")
        assert not {char for char in line if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}}
    assert stream.getvalue().count("\n") == 5000


def test_threads_do_not_mix_their_lines(stream: io.StringIO) -> None:
    observe = progress_observer(stream=stream)
    threads = [
        threading.Thread(target=lambda: [observe(Noticed(message="x" * 70)) for _ in range(200)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(stream.getvalue().splitlines()) == {f"Note: {'x' * 70}"}
    assert stream.getvalue().count("\n") == 1600


# --- a terminal ------------------------------------------------------------------------------------------------------


def test_terminal_keeps_a_line_for_each_finished_phase(terminal: Terminal) -> None:
    clock = Monotonic()
    observe = progress_observer(stream=terminal, monotonic=clock)
    observe(PhaseStarted(phase=READING, total=2))
    observe(PhaseStarted(phase="Other"))
    observe(PhaseAdvanced(phase=READING, done=1, total=2))
    clock.now += 1.2
    observe(PhaseFinished(phase=READING, detail="412 clients"))
    observe(PhaseFinished(phase="Other", detail="[bold]1[/bold] row"))
    assert "Reading INFIMA clients ... 412 clients (1.2 s)\n" in terminal.getvalue()
    assert "Other ... [bold]1[/bold] row (1.2 s)\n" in terminal.getvalue()


def test_terminal_says_how_much_time_is_left(terminal: Terminal) -> None:
    clock = Monotonic()
    observe = progress_observer(stream=terminal, monotonic=clock)
    observe(PhaseStarted(phase="Creating", total=2_000, at_least=2_400))
    clock.now += 12
    observe(PhaseAdvanced(phase="Creating", done=240, total=2_000))
    observe.close()
    assert "240/2000" in terminal.getvalue()
    assert "about 40 min left" in terminal.getvalue()


def test_cursor_is_shown_again_when_no_phase_is_open(terminal: Terminal) -> None:
    observe = progress_observer(stream=terminal)
    observe(PhaseStarted(phase="A"))
    observe(PhaseFinished(phase="A"))
    drawn = terminal.getvalue()
    assert drawn.rindex("\x1b[?25h") > drawn.rindex("\x1b[?25l")


def test_closing_takes_down_what_a_failed_run_left(terminal: Terminal) -> None:
    observe = progress_observer(stream=terminal)
    observe(PhaseStarted(phase="A"))
    observe.close()
    drawn = terminal.getvalue()
    assert drawn.rindex("\x1b[?25h") > drawn.rindex("\x1b[?25l")
    observe(Noticed(message="after all"))
    assert terminal.getvalue().endswith("Note: after all\n")


def test_terminal_tells_notes_waits_and_failures(terminal: Terminal) -> None:
    observe = progress_observer(stream=terminal)
    for event in every_event("A"):
        observe(event)
    drawn = terminal.getvalue()
    assert all(line in drawn for line in ("Waiting 5 s: A", "Note: A", "Mapping A failed: A"))


def test_log_of_a_ci_job_gets_lines_even_on_a_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    observe = progress_observer(stream=terminal)
    observe(PhaseStarted(phase="A"))
    observe(PhaseFinished(phase="A"))
    assert "\x1b" not in terminal.getvalue()


@pytest.mark.parametrize("term", ["", "dumb", None])
def test_terminal_that_says_nothing_of_itself_gets_lines(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, term: str | None
) -> None:
    monkeypatch.delenv("TERM")
    if term is not None:
        monkeypatch.setenv("TERM", term)
    for event in every_event("A"):
        progress_observer(stream=terminal)(event)
    assert terminal.getvalue()
    assert "\x1b" not in terminal.getvalue()


@pytest.mark.parametrize("colour", [True, False])
def test_bars_have_colours_only_where_they_are_wanted(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, *, colour: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    observe = progress_observer(stream=terminal, colour=colour)
    observe(PhaseStarted(phase="A", total=2))
    observe.close()
    assert (re.search(r"\x1b\[[0-9;]+m", terminal.getvalue()) is not None) is colour


def test_rich_is_imported_only_when_something_is_drawn_on_a_terminal() -> None:
    code = (
        "import io, sys; from reconciler.cli.progress import progress_observer;"
        "from reconciler.events import PhaseStarted; progress_observer(stream=io.StringIO())(PhaseStarted(phase='A'));"
        "sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_is_written_to_stdout(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    for stream in (terminal, io.StringIO()):
        observe = progress_observer(stream=stream)
        for event in every_event("A"):
            observe(event)
    assert capsys.readouterr() == ("", "")
