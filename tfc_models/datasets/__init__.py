"""Images from files: whole ones for coding, crops for training."""
