"""What was asked for before."""
