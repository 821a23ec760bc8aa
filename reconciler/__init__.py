"""Keeps HaloPSA Subscription quantities equal to INFIMA active-user counts."""

__version__ = "0.1.0"
