"""Runs a plan: what to measure, and how the numbers are taken."""
