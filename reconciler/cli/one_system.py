"""The environment of a command that asks one of the two systems: a stand-in takes the other's place."""

from __future__ import annotations

from collections.abc import Mapping

HALO_VARIABLES = ("HALO_URL", "HALO_AUTH_URL", "HALO_CLIENT_ID", "HALO_CLIENT_SECRET", "HALO_TENANT")
INFIMA_VARIABLES = ("INFIMA_URL", "INFIMA_API_KEY")


def without_infima(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with a stand-in for INFIMA, which is then never asked, so that HaloPSA is checked by itself."""
    return _without(environ, INFIMA_VARIABLES) | {"INFIMA_API_KEY": "not-set"}


def without_halo(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with a stand-in for HaloPSA, which is then never asked."""
    stand_in = {"HALO_URL": "http://127.0.0.1:9", "HALO_CLIENT_ID": "not-set", "HALO_CLIENT_SECRET": "not-set"}
    return _without(environ, HALO_VARIABLES) | stand_in


def _without(environ: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    gone = {variable for name in names for variable in (name, f"{name}_FILE")}
    return {name: value for name, value in environ.items() if name not in gone}
