"""Frames out: MP4, GIF or WebP inside a byte budget, with the recipe in the file."""
