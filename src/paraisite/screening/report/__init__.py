"""A screening as one page to look at, with its shortlist."""
