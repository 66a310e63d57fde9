"""Discord's gateway: the socket on which the bot hears what happens."""
