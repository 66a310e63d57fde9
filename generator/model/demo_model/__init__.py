"""The demo variant: its weights, and the code that trained them. Nothing here is imported to render a clip."""
