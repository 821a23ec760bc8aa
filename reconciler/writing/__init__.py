"""Performing a plan: one journaled request at a time, judged by listings."""
