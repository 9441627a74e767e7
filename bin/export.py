"""`tfcm export`."""
from tfc_models.cli.main import run
run("export")
