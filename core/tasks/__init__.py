"""One file per task, ending in `TASK = …`; `base` says what a task is. Found by `core.registry.tasks()`."""
