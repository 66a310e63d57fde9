"""Consent, reports, take-downs, blocks and own data, in the local Discord."""
