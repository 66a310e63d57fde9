"""Reads the configuration and says what is wrong with it, whatever the settings are. `bot.config` has the settings."""
