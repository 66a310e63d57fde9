"""What opening the data folder does: whether it is ours, whole, of a known version, and restored from a copy."""
