"""What was asked for before: the pages of /history, what their buttons do, and putting back what was cancelled."""
