"""The demo variant: its weights, and the code that made them. Nothing here is imported to render a clip."""
