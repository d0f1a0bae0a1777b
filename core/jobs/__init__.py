"""Who runs trials."""
