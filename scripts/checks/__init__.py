"""The checks behind scripts/check. Each module has run(), which returns the complaints: an empty list is a pass."""
