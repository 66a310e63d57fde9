"""The only room that imports torch: loading a variant and rendering frames with it."""
