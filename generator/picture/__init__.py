"""Strangers' pictures in: decoded in a child under limits, turned, framed, as sRGB."""
