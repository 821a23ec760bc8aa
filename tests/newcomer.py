"""A newcomer's first minutes: README's install and practice steps, to the letter, until the plan says "No changes.".

    python -m tests.newcomer WHEEL

The commands are taken from README when this runs, so that the two cannot drift apart. Home, folder, environment and
terminal are fresh; what is left to a person is done as README says: `a` and `y` at each question, and the command that
stands behind *To do*. Where pwsh is installed, the practice steps are followed once more in it. What it measures is the
machine's time: a person reads as well.
"""

from __future__ import annotations

import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
GOAL = "No changes. HaloPSA matches mappings.yaml and INFIMA's counts."
PATIENCE = 300.0
"""Seconds that one command may take."""

ANSWERS = (
    (r"Currency of your prices.*: $", "EUR"),
    (r"Time zone.*: $", "Europe/Dublin"),
    (r"\[y/N\]: $", "y"),
    (r"(Customer|Subscription .*|Together or second .*): $", "a"),
    (r"Enter a value: $", "yes"),
)
"""What a person types at a question who does as README says."""

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\r")
TO_DO = re.compile(r"(reconciler approve \S+ --until \S+ --reason) '\.\.\.'")


class Stuck(Exception):
    """README's steps did not lead on; the message says where, with what the terminal showed."""


def section(title: str, text: str) -> str:
    """What README says under a heading."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise Stuck(f"README has no section {title!r}")
    return found[1]


def blocks(text: str, language: str) -> list[list[str]]:
    """The lines of each fenced block in that language."""
    return [
        found[1].splitlines() for found in re.finditer(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    ]


def steps(text: str) -> tuple[list[str], str, list[str], list[str]]:
    """Install, the command that serves the world, the commands until something is held, and those after it."""
    (install,) = blocks(section("Install", text), "bash")
    serve, before, after = blocks(section("Practise first", text), "")
    (server,) = serve
    return install, server, before, after


Seconds = list[tuple[float, str]]
"""What each command took, in order."""


class Terminal:
    """bash on a terminal of its own, whose questions are answered."""

    def __init__(self, home: Path, environ: dict[str, str]) -> None:
        import pty  # noqa: PLC0415 - Windows has none, and tests read this file there, too

        self.seconds: Seconds = []
        self._pid, self._screen = pty.fork()
        if self._pid == 0:
            os.chdir(home)
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-s"], environ)  # noqa: S606 - a shell is wanted
        self.type("stty -echo")
        self.seconds.clear()

    def type(self, line: str) -> str:
        """Run one line to its end, answer what it asks, and return what it printed. Raises `Stuck`."""
        started, shown, answered = time.monotonic(), "", 0
        os.write(self._screen, f'{line}; echo "@ended $?@"\n'.encode())
        while not (ended := re.search(r"@ended (\d+)@", shown)):
            ready, _, _ = select.select([self._screen], [], [], 0.05)
            if ready:
                shown += CONTROL.sub("", os.read(self._screen, 65_536).decode(errors="replace"))
            elif answer := next((a for pattern, a in ANSWERS if re.search(pattern, shown[answered:])), None):
                answered = len(shown)
                os.write(self._screen, f"{answer}\n".encode())
            if time.monotonic() - started > PATIENCE:
                raise Stuck(f"{line}\n  did not end; the terminal shows:\n{shown[-2_000:]}")
        self.seconds.append((time.monotonic() - started, line))
        if ended[1] not in {"0", "3"}:  # 3: something was held, as README says
            raise Stuck(f"{line}\n  ended with {ended[1]}; the terminal shows:\n{shown[-2_000:]}")
        return shown[: ended.start()]

    def close(self) -> None:
        os.kill(self._pid, signal.SIGHUP)
        os.close(self._screen)
        os.waitpid(self._pid, 0)


def in_bash(line: str) -> str:
    return line


def in_pwsh(line: str) -> str:
    """The line as PowerShell runs it, from the shell that keeps the folder."""
    return line if line.startswith("cd ") else f"pwsh -NoProfile -Command {shlex.quote(f'{line}; exit $LASTEXITCODE')}"


def shells() -> dict[str, Callable[[str], str]]:
    """The shells that this machine has, each with how a line is run in it."""
    return {"bash": in_bash, **({"pwsh": in_pwsh} if shutil.which("pwsh") else {})}


@contextmanager
def served(command: str, folder: Path, environ: dict[str, str]) -> Iterator[None]:
    """README's first terminal: the world is served while this is open."""
    with (folder / "served.log").open("w") as log:
        server = subprocess.Popen(command.split(), cwd=folder, env=environ, stdout=log, stderr=log)
        try:
            ends = time.monotonic() + PATIENCE
            while "is running" not in (folder / "served.log").read_text():
                if server.poll() is not None or time.monotonic() > ends:
                    raise Stuck(f"{command}\n  serves nothing:\n{(folder / 'served.log').read_text()}")
                time.sleep(0.05)
            yield
        finally:
            server.terminate()
            server.wait()


def practise(shell: str, home: Path, environ: dict[str, str], text: str) -> Seconds:
    """Follow the practice steps in a fresh folder and return what each took. Raises `Stuck` where they lead nowhere."""
    _install, server, before, after = steps(text)
    run = shells()[shell]
    folder = home / f"with-{shell}"
    folder.mkdir()
    with served(server, folder, environ):
        terminal = Terminal(folder, environ)
        try:
            shown = "".join(terminal.type(run(line)) for line in before)
            to_do = TO_DO.search(" ".join(shown.split()))
            if to_do is None:
                raise Stuck(f"nothing is held, or its To do has no command:\n{shown[-2_000:]}")
            terminal.type(run(f"{to_do[1]} 'closed for the summer' --env-file ../simulator.env"))
            last = [terminal.type(run(line)) for line in after][-1]
            if GOAL not in last:
                raise Stuck(f"the last plan does not say {GOAL!r}:\n{last[-2_000:]}")
            return terminal.seconds
        finally:
            terminal.close()


def install(home: Path, environ: dict[str, str], text: str) -> tuple[Seconds, dict[str, str]]:
    """Follow the install steps; return what each took, and the environment as they leave it."""
    terminal = Terminal(home, environ)
    try:
        for line in steps(text)[0]:
            terminal.type(line)
        seconds = list(terminal.seconds)
        path = terminal.type('echo "<$PATH>"').partition("<")[2].partition(">")[0]
        return seconds, environ | {"PATH": path}
    finally:
        terminal.close()


def fresh_environment(home: Path, wheel: Path) -> dict[str, str]:
    """A newcomer's: how pip reaches its index is the machine's; the release that is not there yet is the wheel."""
    kept = {n: v for n, v in os.environ.items() if n.startswith(("PIP_", "SSL_")) or n in {"PATH", "LANG"}}
    own = str(Path(sys.prefix) / "bin")
    path = os.pathsep.join(part for part in kept["PATH"].split(os.pathsep) if part != own)
    links = " ".join(filter(None, [kept.get("PIP_FIND_LINKS"), str(wheel.parent)]))
    return kept | {
        "PATH": path, "HOME": str(home), "TERM": "xterm", "COLUMNS": "120", "PIP_FIND_LINKS": links,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }  # fmt: skip


def main() -> None:
    wheel = Path(sys.argv[1]).resolve()
    text = README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        try:
            taken, environ = install(home, fresh_environment(home, wheel), text)
            _report("bash, install", taken)
            for shell in shells():
                practised = practise(shell, home, environ, text)
                _report(f"{shell}, practice", practised)
                total = sum(seconds for seconds, _ in taken + practised)
                _say(f"From nothing to 'No changes.' in {shell}: {total:.0f} seconds of machine time.")
        except Stuck as stuck:
            sys.exit(f"README's steps lead nowhere: {stuck}")


def _report(title: str, seconds: Seconds) -> None:
    _say("\n".join([f"{title}:", *(f"  {taken:6.1f} s  {line}" for taken, line in seconds)]))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
