"""Tuning: a search for a better recipe, nested so that the scored rows never reach the search."""
