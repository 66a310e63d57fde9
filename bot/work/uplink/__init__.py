"""How uploads share an uplink, and how a clip is made small enough for its channel."""
