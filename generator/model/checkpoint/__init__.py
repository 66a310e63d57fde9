"""A checkpoint as files: which lie in its folder, whether they are whole, and how they are downloaded. No torch."""
