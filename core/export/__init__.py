"""One file per format, ending in `FORMAT = …`; `bundle` puts them together."""
