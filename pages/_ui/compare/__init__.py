"""The parts of the Compare page. Each draws what `core.analysis` found of a run, under the limits set on the page."""
