"""One file per runtime, ending in `BACKEND = …`; `base` says what a backend is. Found by `core.registry.backends()`."""
