"""`tfcm maps`."""
from tfc_models.cli.main import run
run("maps")
