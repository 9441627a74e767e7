"""`tfcm convert`."""
from tfc_models.cli.main import run
run("convert")
