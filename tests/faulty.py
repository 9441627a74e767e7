"""What other processes need of test_evaluate.py, without TensorFlow."""

import dataclasses
import os
import signal
import subprocess

from tfc_models.codecs.base import Codec, Family
from tfc_models.codecs.classical import PillowCodec


class FaultyCodec(Codec):
  """PNG, but not for all widths."""

  name, extension = "faulty", ".png"

  def encode(self, image, settings=None):
    if image.shape[1] == 170:
      raise KeyError("no such width")
    if image.shape[1] == 180:
      os.kill(os.getpid(), signal.SIGSEGV)
    return PillowCodec("PNG").encode(image)

  def decode(self, data):
    return PillowCodec("PNG").decode(data)

  def warm_up(self, image):
    pass


@dataclasses.dataclass(frozen=True)
class Faulty(Family):
  name: str = "faulty"
  settings: tuple = (None,)
  version: int = 1

  def make(self, setting):
    return FaultyCodec()

  def facts(self, setting):
    return {"tool": "tests", "version": self.version}


def quick_figures(lpips, features, path, coded, known):
  """Stands in for `sweep._figures` where figures do not matter."""
  names = ("num_bytes", "bpp", "mse", "psnr", "psnr_y", "ms_ssim", "ssim",
           "encode_seconds", "decode_seconds", "peak_mib")
  return {**dict.fromkeys(names, 1.0), "num_bytes": len(coded.data)}


def start_program():
  """Returns the process id of a program that takes long."""
  return subprocess.Popen(["sleep", "1000"]).pid
