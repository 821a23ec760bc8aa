"""Keeps HaloPSA Subscription quantities equal to INFIMA active-user counts."""

__version__ = "0.2.0"
