"""Transforms between image, latent and side latent, shared by papers."""
