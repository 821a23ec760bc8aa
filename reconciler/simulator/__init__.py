"""Both web APIs over one in-memory world, for tests, the demo and `simulate`; no part of a real run."""
