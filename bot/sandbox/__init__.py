"""A local Discord: gateway, REST, CDN and people, with Discord's own rules. Nothing else in `bot/` imports it."""
