"""Formulas of lattice dynamics that need no calculation: Debye, Slack."""
