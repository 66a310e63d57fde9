"""The formats that ffmpeg writes too slowly, or not well enough."""
