"""Sources of any size to predictions in Parquet, resumable; engines that spread the work."""
