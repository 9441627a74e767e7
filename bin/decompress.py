"""`tfcm decompress`."""
from tfc_models.cli.main import run
run("decompress")
