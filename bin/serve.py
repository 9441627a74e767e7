"""`tfcm serve`."""
from tfc_models.cli.main import run
run("serve")
