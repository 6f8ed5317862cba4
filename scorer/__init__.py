"""The laboratory's scorer: holds decisions against the truth. Python's standard library only."""
