"""Coverage-guided fuzzing of everything that reads files from strangers; see docs/reliability.md."""
