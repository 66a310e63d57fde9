"""What a person types for a clip, what is suggested meanwhile, and a refused request that is mended."""
