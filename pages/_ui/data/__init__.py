"""The Data page in parts: where the rows come from, what their columns and labels mean, how many are drawn."""
