"""One file per runtime, ending in `BACKEND = …`. The only importers of torch besides the tasks."""
