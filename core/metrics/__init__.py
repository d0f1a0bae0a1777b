"""One file per metric (or family that shares its arithmetic), ending in `METRIC = …`. Found by `core.registry.metrics()`."""
