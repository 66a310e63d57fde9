"""The ways to install that the documentation names, each tried as it is written there."""
