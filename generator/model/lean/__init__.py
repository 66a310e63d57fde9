"""Stable Video Diffusion's arithmetic on diffusers' weights in less memory: the same sums in another order."""
