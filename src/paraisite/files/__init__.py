"""Files: written whole or not at all, locked, named; CSV cells and Arrow columns."""
