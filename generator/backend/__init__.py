"""The bot's side of the executor's pipe: the Backend interface, the in-flight requests, and when silence is a stall."""
