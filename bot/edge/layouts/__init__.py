"""Every layout a person sees: cards, posted clips, and the buttons below messages. Pure: records in, views out."""
