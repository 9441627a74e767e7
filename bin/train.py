"""`tfcm train`."""
from tfc_models.cli.main import run
run("train")
