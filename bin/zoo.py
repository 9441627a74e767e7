"""`tfcm zoo`."""
from tfc_models.cli.main import run
run("zoo")
