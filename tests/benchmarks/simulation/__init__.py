"""A simulated day of a large community on the real store: people, GPUs and a clock are made up, the queue is not."""
