"""Blocks, consent, hashes of pictures and reports, on disk."""
