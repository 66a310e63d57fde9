"""One picture in, one clip out. Knows no users, no queue and no Discord."""
