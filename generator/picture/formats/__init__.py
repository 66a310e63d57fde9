"""What Pillow gets wrong or refuses in each file format, put right before and after it decodes."""
