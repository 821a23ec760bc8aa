"""Other people's tools on what this program prints: `make interop`. The plans here are also read by plain tests."""
