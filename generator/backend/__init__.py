"""The bot's side of the executor's pipe: the Backend interface, the requests in the child, its silence."""
