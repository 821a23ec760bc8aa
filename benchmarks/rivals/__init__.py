"""What people might use in place of the program, made ready to be measured beside it by `benchmarks.compare`."""
