"""What the picture filter holds back: asked about, shown to the moderators, decided."""
