"""Speed, measured side by side in one run. `python -m benchmarks.helper` prints a table."""
