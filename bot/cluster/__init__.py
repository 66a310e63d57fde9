"""What the bot does because of a cluster: it follows how many cards there are, and starts a head or a node."""
