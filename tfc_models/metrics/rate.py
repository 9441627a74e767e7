"""Rate: bits per pixel of the image that the user sees."""


def bits_per_pixel(num_bytes, height, width):
  """Returns bpp of a complete file of `num_bytes` for an unpadded image."""
  return 8.0 * num_bytes / (height * width)
