"""Shows that it is true: the town of twins, the demo's play and its report, benchmarks, planted bugs."""
