"""Processes: how workers are started and interrupted."""
