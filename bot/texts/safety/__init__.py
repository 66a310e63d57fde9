"""What people read about what may be shown, and about how clips are labelled."""
