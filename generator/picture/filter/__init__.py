"""Whether a picture may be one that not everybody wants to see: the guess of a small model."""
