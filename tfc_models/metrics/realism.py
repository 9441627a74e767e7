"""How far decoded images as a whole are from photographs as a whole."""

import numpy as np

# Side of the patches that features are of, as in the paper of HiFiC.
PATCH = 256


def frechet_distance(features, others):
  """Returns the Frechet distance (FID, where features are Inception's) of two sets.

  |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)), of means and covariances: that of two
  Gaussians. It shrinks with the number of samples; compare figures of equally many.

  Args:
    features: (N, D) array, a row a patch, N above 1.
    others: (N', D), likewise.

  Source: Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter, "GANs trained by a two
    time-scale update rule converge to a local Nash equilibrium", NeurIPS 2017,
    arXiv:1706.08500, equation 6.
  """
  (mean, covariance), (mean_other, covariance_other) = (
      (some.mean(axis=0), np.cov(some, rowvar=False, ddof=1).reshape([some.shape[1]] * 2))
      for some in (np.float64(features), np.float64(others)))
  values, vectors = np.linalg.eigh(covariance)
  root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
  # The eigenvalues of C C' are those of the symmetric product.
  common = np.linalg.eigvalsh(root @ covariance_other @ root)
  return float(
      np.sum(np.square(mean - mean_other)) + np.trace(covariance)
      + np.trace(covariance_other) - 2.0 * np.sum(np.sqrt(np.maximum(common, 0.0))))


def kernel_distance(features, others):
  """Returns the kernel distance (KID, likewise) of two sets, without bias.

  The squared maximum mean discrepancy by the kernel (x . y / D + 1)^3, of all samples at
  once; around 0, and as often below it, for sets of one kind.

  Args:
    features, others: as of `frechet_distance`.

  Source: Binkowski, Sutherland, Arbel, Gretton, "Demystifying MMD GANs", ICLR 2018,
    arXiv:1801.01401, section 4 and equation 4.
  """
  a, b = np.float64(features), np.float64(others)

  def kernel(x, y):
    return (x @ y.T / x.shape[1] + 1.0) ** 3

  def between(x):
    products = kernel(x, x)
    return (products.sum() - np.trace(products)) / (len(x) * (len(x) - 1))

  return float(between(a) + between(b) - 2.0 * kernel(a, b).mean())


def patches(image, side=PATCH):
  """Returns patches (N, side, side, C) of an image (H, W, C), of two grids.

  All whole ones of a grid, then those of one that is shifted by half a patch; none of a
  smaller image.

  Source: Mentzer et al., "High-fidelity generative image compression", NeurIPS 2020,
    arXiv:2006.09965, appendix A.7.
  """
  height, width, depth = image.shape
  found = [
      image[row:row + side, column:column + side]
      for first in (0, side // 2)
      for row in range(first, height - side + 1, side)
      for column in range(first, width - side + 1, side)]
  return np.stack(found) if found else np.zeros((0, side, side, depth), image.dtype)
