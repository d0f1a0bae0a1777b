"""What the pages share: the frame, the state that outlives a page, caches, and how things are shown."""
