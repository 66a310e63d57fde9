"""What every way to ask for a clip shares: checks, options, the download, the answers."""
