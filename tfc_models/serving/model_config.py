"""Which models to serve: their folders, versions and labels."""

import dataclasses
import os

from tensorflow_serving.config import model_server_config_pb2

from tfc_models.errors import UsageError
from tfc_models.serving import protos


@dataclasses.dataclass(frozen=True)
class ModelConfig:
  """One model.

  Attributes:
    name: what requests call it.
    base_path: absolute path of the folder of its versions.
    latest: how many of the highest versions are served; 0: all.
    specific: version numbers that are served instead, or ().
    labels: dict from label to version number.
  """

  name: str
  base_path: str
  latest: int = 1
  specific: tuple = ()
  labels: dict = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    if not self.name or set(self.name) & set("/:"):
      raise UsageError(
          f"model name: {self.name!r}, wanted a text without / and :")
    if not os.path.isabs(self.base_path):
      raise UsageError(
          f"{self.name}: base_path is {self.base_path!r}, wanted an absolute path")
    if self.latest < 0 or min(self.specific, default=0) < 0:
      raise UsageError(f"{self.name}: versions are counted from 0")

  def choose(self, versions):
    """Returns those of an iterable of version numbers that are to be served."""
    versions = sorted(versions)
    if self.specific:
      return [number for number in versions if number in self.specific]
    return versions[-self.latest:]  # -0: all.


def read(path):
  """Returns the models of a file of `model_config_list` in text format.

  Raises:
    UsageError: if it cannot be read or says what cannot be.
  """
  proto = protos.read_text(path, model_server_config_pb2.ModelServerConfig())
  try:
    return from_proto(proto)
  except UsageError as error:
    raise UsageError(f"{path}: {error}") from None


def from_proto(proto):
  """Returns the models of a `ModelServerConfig`.

  Raises:
    UsageError: if it has none, two of a name, or says what cannot be.
  """
  if proto.WhichOneof("config") != "model_config_list":
    raise UsageError("no model_config_list, which is all that is served")
  configs = [_model(config) for config in proto.model_config_list.config]
  names = [config.name for config in configs]
  for name in names:
    if names.count(name) > 1:
      raise UsageError(f"{name}: two models of that name")
  return configs


def _model(proto):
  if proto.model_platform not in ("", "tensorflow"):
    raise UsageError(
        f"{proto.name}: model_platform is {proto.model_platform!r}, "
        "wanted 'tensorflow'")
  policy = proto.model_version_policy
  choice = policy.WhichOneof("policy_choice")
  if choice == "specific" and not policy.specific.versions:
    raise UsageError(f"{proto.name}: model_version_policy names no versions")
  return ModelConfig(
      proto.name, proto.base_path,
      latest=(policy.latest.num_versions or 1) if choice == "latest"
      else int(choice != "all"),
      specific=tuple(policy.specific.versions),
      labels=dict(proto.version_labels))
