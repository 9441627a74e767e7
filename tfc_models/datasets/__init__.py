"""Images from files: whole ones for coding, patches for training."""
