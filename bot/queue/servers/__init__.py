"""What is kept of servers: their settings, who changed them, and what was used of a quota."""
