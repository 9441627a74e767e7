"""What every model stands on: the contract, training, weight files."""
