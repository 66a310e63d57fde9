"""The browser page of the local Discord; its files are in static/."""
