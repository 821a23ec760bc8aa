"""Drawings of the plan document: each format has one module, and one exit through which foreign text leaves."""
