"""One file per metric, or family of the same arithmetic, ending in `METRIC = …`. Found by `core.registry.metrics()`."""
