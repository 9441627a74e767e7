"""`tfcm plot`."""
from tfc_models.cli.main import run
run("plot")
