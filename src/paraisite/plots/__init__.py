"""What figures of all rooms share."""
