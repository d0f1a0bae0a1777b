"""The Benchmark page in parts: the plan as a grid, what it will cost, and the run while it goes on."""
