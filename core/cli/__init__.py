"""The commands of `python -m core`, one function each, grouped by what they are about."""
