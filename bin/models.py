"""`tfcm models`."""
from tfc_models.cli.main import run
run("models")
