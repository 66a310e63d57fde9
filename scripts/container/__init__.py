"""Builds the image of the container and tries it, where no registry of images is reached and no Docker is there."""
