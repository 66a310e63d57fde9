"""What the UNet and the autoencoder learn from: plates, and films of a camera that moves over them."""
