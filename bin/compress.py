"""`tfcm compress`."""
from tfc_models.cli.main import run
run("compress")
