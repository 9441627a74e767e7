"""`tfcm benchmark`."""
from tfc_models.cli.main import run
run("benchmark")
