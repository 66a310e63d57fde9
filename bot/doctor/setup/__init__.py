"""`vivant setup`: asks what the bot needs, writes the config file, and ends with the doctor. It can be run again."""
