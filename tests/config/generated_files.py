"""Generated mappings files: valid data in many layouts, with comments wherever YAML lets one stand."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"

thorough = settings(
    max_examples=1000 if LONG else 100,
    deadline=None,  # a slow machine is no failure
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

COMMENT_TEXTS = st.sampled_from(
    ["# note", "#", "# - infima_client: old", "# key: value # twice", '# "quoted"', "# ünï 東"]
)
NAMES = st.sampled_from(
    ["Acme Dental", "no", "12:30", 'The "Inn"', "C:\\Path", "# not a comment", "a: b", "東京 é", "x, y}"]
)


class Layout:
    """Draws how one file looks, line by line."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw
        self.lines: list[str] = []
        self.newline: str = draw(st.sampled_from(["\n", "\r\n"]))
        self.final: bool = draw(st.booleans())
        self.commented: bool = draw(st.booleans())
        self.dash = draw(st.integers(0, 4))

    def chance(self, of: int = 3) -> bool:
        return bool(self._draw(st.integers(0, of)) == of)  # the simplest draw says no

    def pick(self, strategy: Any) -> Any:
        return self._draw(strategy)

    def noise(self, *columns: int) -> None:
        """Comment lines and blank lines between two lines."""
        while self.chance(2):
            if self.commented and self.chance(1):
                self.lines.append(" " * self._draw(st.sampled_from(columns)) + self._draw(COMMENT_TEXTS))
            else:
                self.lines.append("")

    def line(self, text: str) -> None:
        beside = "  " + self._draw(COMMENT_TEXTS) if self.commented and self.chance() else ""
        self.lines.append(text + beside)

    def text(self) -> str:
        joined = self.newline.join(self.lines)
        return joined + self.newline if self.final else joined


def quoted(name: str, layout: Layout) -> str:
    if layout.chance(1):
        return "'" + name.replace("'", "''") + "'"
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def pair(layout: Layout, number: int) -> str:
    members = [f"id: {number}", f"name: {quoted(layout.pick(NAMES), layout)}"]
    return "{" + ", ".join(reversed(members) if layout.chance() else members) + "}"


def entry_members(layout: Layout, number: int) -> list[str]:
    members = [f"infima_client: {pair(layout, number)}", f"halo_customer: {pair(layout, number + 500)}"]
    if layout.chance():
        members[0] = f"infima_clients: [{pair(layout, number)}, {pair(layout, number + 100)}]"
        members.append(f"key: group-{number}")
    if layout.chance():
        members.append(f"subscription_id: {number + 9000}")
    if layout.chance():
        members.append(
            layout.pick(
                st.sampled_from(
                    [
                        "quantity: {minimum: 3}",
                        'quantity: {until: 2099-12-31, fixed: 4, reason: "x # y"}',
                        "quantity: {}",
                    ]
                )
            )
        )
    return list(layout.pick(st.permutations(members)))


def write_entries(layout: Layout, count: int) -> None:
    dash = layout.dash
    for number in range(1, count + 1):
        layout.noise(0, dash, dash + 2, dash + 5)
        members = entry_members(layout, number)
        if layout.chance(4):
            layout.line(f"{' ' * dash}- {{{', '.join(members)}}}")
            continue
        layout.line(f"{' ' * dash}- {members[0]}")
        for member in members[1:]:
            layout.noise(0, dash + 2, dash + 4)
            layout.line(f"{' ' * (dash + 2)}{member}")


@st.composite
def mappings_files(draw: Any) -> str:
    """The text of a valid file."""
    layout = Layout(draw)
    sections = draw(st.permutations(["version", "mappings", "settings", "ignore", "defaults"]))
    layout.noise(0)
    for section in sections:
        if section in {"settings", "ignore", "defaults"} and layout.chance(1):
            continue
        write_section(layout, section)
        layout.noise(0, 2, layout.dash)
    return layout.text()


def write_section(layout: Layout, section: str) -> None:
    match section:
        case "version":
            layout.line("version: 1")
        case "mappings":
            count = layout.pick(st.integers(0, 4))
            layout.line("mappings:" if count else "mappings: []")
            write_entries(layout, count)
        case "settings":
            layout.line("settings:")
            layout.noise(0, 2)
            layout.line("  batch: 20")
            layout.line("  halo_budget: {seconds: 100}")
        case "defaults":
            layout.line("defaults: {quantity: {count: client_record}}")
        case _:
            layout.line("ignore:")
            layout.noise(0, 2, 3)
            layout.line("  - reason: 'internal'")
            layout.line('    infima_client: {id: 999, name: "Staff"}')
