"""Coverage-guided fuzzing of every reader of files; see docs/reliability.md."""
