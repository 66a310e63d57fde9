"""How uploads share an uplink, how a clip is made small enough for its channel, and how its file is made anew."""
