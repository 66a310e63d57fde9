"""The catalogue of sentences, and in which language they are said just now."""
