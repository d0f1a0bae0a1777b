"""The parts of the Export page: which trial, one card per use, and what travels."""
