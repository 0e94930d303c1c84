"""What the README's figures are made with. `make bench`, or one of them: python -m benchmarks.latency."""
