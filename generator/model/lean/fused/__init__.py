"""What lies between a model's products and convolutions, as few passes over memory."""
