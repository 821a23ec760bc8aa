"""Questions about the past. Pure."""
