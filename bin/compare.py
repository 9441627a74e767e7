"""`tfcm compare`."""
from tfc_models.cli.main import run
run("compare")
