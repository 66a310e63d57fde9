"""What people read while they choose what a clip shall be, and when that cannot be taken."""
