"""What the settings of a server, their panel and the quotas say."""
