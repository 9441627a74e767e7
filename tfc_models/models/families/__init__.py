"""What several papers share: whole codecs with a few parts left open."""
