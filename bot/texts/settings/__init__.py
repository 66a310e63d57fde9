"""What people read about a server's settings."""
