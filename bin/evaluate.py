"""`tfcm evaluate`."""
from tfc_models.cli.main import run
run("evaluate")
