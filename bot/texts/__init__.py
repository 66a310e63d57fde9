"""Every sentence a person reads. Pure functions; no Discord."""
