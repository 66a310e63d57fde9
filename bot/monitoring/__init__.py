"""What an operator sees of a bot: figures for Prometheus, the log, its state in a terminal. Knows no Discord."""
