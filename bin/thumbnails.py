"""`tfcm thumbnails`."""
from tfc_models.cli.main import run
run("thumbnails")
