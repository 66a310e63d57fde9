"""Where the UNet's training begins: weights that are not random."""
