"""Recipes: one file a registered name, data without logic."""
