"""Shortlist's engine beside its peers, in one run on one machine. Not part of the tests."""
