"""The campaign behind docs/reliability.md: faults, crashes, races and people against the shipped code."""
