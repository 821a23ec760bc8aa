"""Asking a live HaloPSA what nobody has written down: questions on a throw-away customer, and what they showed."""
