"""Published weights of other toolkits, made into ours."""

from tfc_models.convert.conversion import FILES, convert

__all__ = ["FILES", "convert"]
