"""What people read about their jobs."""
