"""Child processes and files: how a child starts and ends, files that appear complete or not at all and are private."""
