"""`tfcm info`."""
from tfc_models.cli.main import run
run("info")
