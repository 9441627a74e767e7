"""`python -m tfc_models VERB ...`, as `tfcm`."""

from tfc_models.cli.main import run

run()
