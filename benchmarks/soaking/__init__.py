"""Days of a daemon's life in a minute: the parts of `benchmarks.soak`."""
