"""Multi-scale structural similarity."""

import tensorflow as tf

# Five scales halve the image four times, and the 11-tap window must still fit.
MS_SSIM_MIN_SIZE = 11 * 2**4 - 15


def ms_ssim(x, x_hat):
  """Returns the MS-SSIM of each image.

  Args:
    x: (B, H, W, C) float in [0, 1], sides of at least `MS_SSIM_MIN_SIZE`.
    x_hat: likewise.

  Returns:
    (B,) float, 1 for equal images: five scales, 11-tap Gaussian window of
    standard deviation 1.5, mean over channels.

  Raises:
    ValueError: if a statically known side is too small.
  Source: Wang, Simoncelli, Bovik, "Multiscale structural similarity for image
    quality assessment", Asilomar 2003, weights of its section 3.2.
  """
  sides = [side for side in x.shape[1:3] if side is not None]
  if sides and min(sides) < MS_SSIM_MIN_SIZE:
    raise ValueError(
        f"MS-SSIM needs images of at least {MS_SSIM_MIN_SIZE} pixels a side, "
        f"got {x.shape[1]}x{x.shape[2]}.")
  return tf.image.ssim_multiscale(x, x_hat, max_val=1.0)
