"""The pure decisions: who may have what."""
