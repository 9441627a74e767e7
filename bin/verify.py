"""`tfcm verify`."""
from tfc_models.cli.main import run
run("verify")
