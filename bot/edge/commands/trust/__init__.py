"""What people, moderators and operators do so that they stay in charge: consent, reports, take-downs, blocks, data."""
