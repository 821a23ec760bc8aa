"""`import httpx` where httpx2 stands in for httpx: `make httpx2` puts this into an environment without httpx."""

import sys

import httpx2

del sys.modules["httpx"]  # this file; what takes its place is httpx2's own alias
httpx2.alias_httpx()
