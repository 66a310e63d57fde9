"""/settings and /quota: what the managers of a server choose for it, and what somebody may still have."""
