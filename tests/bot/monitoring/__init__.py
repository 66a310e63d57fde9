"""The tests of what an operator sees of a bot."""
