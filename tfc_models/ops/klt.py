"""The Karhunen-Loeve transform of blocks of blocks."""

from typing import NamedTuple

import numpy as np

# Below this, in the units of the samples, a coefficient counts as constant.
_LEAST_DEVIATION = 1e-4


class Level(NamedTuple):
  """One level: a block of samples to its leading coefficients.

  Attributes:
    basis: (s, s, C, R), orthonormal: coefficient r is the sum of basis[..., r] times
      the block. The transpose takes coefficients back.
    deviations: (R,) of the coefficients, decreasing.
  """

  basis: np.ndarray
  deviations: np.ndarray


def hierarchical_klt(samples, strides, widths, passed=None) -> list[Level]:
  """Returns the levels of a KLT of blocks of the coefficients of the level before.

  What strided convolutions can hold exactly: level l takes blocks of s_l x s_l sites
  and keeps those coefficients that vary most, so that all together are a transform
  of blocks as large as the product of the strides.

  Args:
    samples: (B, H, W, C) of mean zero, sides multiples of the product of `strides`.
    strides: s_l of each level.
    widths: the most coefficients of each level; there are no more than samples in a
      block.
    passed: at each level, so many of the last coefficients are no combinations, but the
      first ones of the first site of a block, as they are; by default none.
  """
  levels = []
  for stride, width, count in zip(strides, widths, passed or [0] * len(widths)):
    batch, rows, columns, depth = samples.shape
    blocks = samples.reshape(
        batch, rows // stride, stride, columns // stride, stride, depth)
    blocks = blocks.transpose(0, 1, 3, 2, 4, 5).reshape(
        batch, rows // stride, columns // stride, stride * stride * depth)
    flat = blocks.reshape(-1, blocks.shape[-1]).astype(np.float64)
    covariance = flat.T @ flat / len(flat)
    variances, basis = np.linalg.eigh(covariance[count:, count:])
    # Largest variance first.
    basis = np.concatenate([
        np.pad(basis[:, ::-1][:, :width - count], [(count, 0), (0, 0)]),
        np.eye(len(covariance), count)], axis=1)
    variances = np.concatenate([
        variances[::-1][:width - count], np.diag(covariance)[:count]])
    deviations = np.sqrt(np.maximum(variances, _LEAST_DEVIATION**2))
    samples = blocks @ basis.astype(samples.dtype)
    levels.append(Level(
        basis.reshape(stride, stride, depth, -1), deviations))
  return levels


def block_taps(size, stride):
  """Returns the taps of a kernel, along an axis, of the block that an output is of.

  Padding "same" puts the smaller half of what a kernel overlaps before it.

  Args:
    size: taps of the kernel a side.
    stride: side of a block.
  """
  first = (size - stride) // 2
  return slice(first, first + stride)


def pairs(basis, inputs=False, outputs=False):
  """Returns a basis, (s, s, C, R), where sides come as positive and negative parts.

  So coefficients pass rectifiers: c becomes max(c, 0) and max(-c, 0), next to each other.
  """
  sign = np.float32([1.0, -1.0])
  if inputs:
    basis = np.einsum("abcr,s->abcsr", basis, sign).reshape(
        *basis.shape[:2], -1, basis.shape[-1])
  if outputs:
    basis = np.einsum("abcr,s->abcrs", basis, sign).reshape(*basis.shape[:3], -1)
  return basis
