"""Many machines through Ray: the bot's side, the bridge that is Ray's driver, and the actor of each graphics card.

The bot's process imports no ray: `cluster_backend.py` starts the bridge, and only `ray_cluster.py` knows Ray.
"""
