"""The questions that people ask, answered from plain values. Pure."""
