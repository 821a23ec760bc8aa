"""The two outside systems, behind the ports of `providers.base`."""
