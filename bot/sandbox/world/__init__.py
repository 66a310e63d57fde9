"""The state of the local Discord, and what people and the bot do to it."""
