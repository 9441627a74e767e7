"""Huffman codes of JPEG files.

Source: ITU-T T.81: Annex C (codes of given lengths), K.2 (lengths of given counts).
"""

import numpy as np

MAX_LENGTH = 16
# Kinds of codes.
DC, AC = 0, 1


def best(counts):
  """Returns the table of the shortest code of at most 16 bits.

  Args:
    counts: (256,) integers, how often each symbol is written.

  Returns:
    bytes: 16 say how many codes of 1 to 16 bits there are, the rest which symbols they
    stand for, in order of the codes.
  """
  counts = np.asarray(counts, np.int64)
  # One more symbol, least of all, takes the code of ones alone, which is reserved.
  trees = [(count, 256 - symbol, [symbol])
           for symbol, count in enumerate(counts) if count] + [(0, -1, [256])]
  if len(trees) == 1:  # Nothing is written; a table needs a code.
    trees.insert(0, (1, 256, [0]))
  depth = dict.fromkeys(range(257), 0)
  while len(trees) > 1:
    trees.sort(key=lambda tree: tree[:2], reverse=True)
    (a, _, some), (b, order, others) = trees.pop(), trees.pop()
    for symbol in some + others:
      depth[symbol] += 1
    trees.append((a + b, order, some + others))
  used = np.bincount([length for length in depth.values() if length], minlength=33)
  symbols = sorted(
      (s for s in range(256) if depth[s]), key=lambda s: (depth[s], -counts[s], s))
  return bytes(_limited(used)) + bytes(symbols)


def _limited(used):
  """Returns how many codes have 1 to 16 bits, without the reserved one.

  Args:
    used: by length from 0 on, of a code that may have longer ones.
  """
  used = list(used)
  for length in range(len(used) - 1, MAX_LENGTH, -1):
    while used[length]:  # T.81, figure K.3.
      shorter = length - 2
      while not used[shorter]:
        shorter -= 1
      used[length] -= 2
      used[length - 1] += 1
      used[shorter + 1] += 2
      used[shorter] -= 1
  used[max(length for length, count in enumerate(used) if count)] -= 1
  return used[1:MAX_LENGTH + 1]


def codes(table):
  """Returns codes and lengths, (2, 256), of a table of `best`; 0 for symbols without."""
  found = np.zeros((2, 256), np.int64)
  code, symbols = 0, iter(table[MAX_LENGTH:])
  for length, count in enumerate(table[:MAX_LENGTH], 1):
    for _ in range(count):
      found[:, next(symbols)] = code, length
      code += 1
    code <<= 1
  return found
