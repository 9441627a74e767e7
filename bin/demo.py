"""`tfcm demo`."""
from tfc_models.cli.main import run
run("demo")
