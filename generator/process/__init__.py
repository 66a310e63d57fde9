"""Child processes and files: how a child starts and ends, and files that appear complete or not at all."""
