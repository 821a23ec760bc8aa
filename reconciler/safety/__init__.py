"""Judging a plan: one file for each subject of rules. Pure."""
