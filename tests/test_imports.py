"""The rank diagram of CONTRIBUTING.md holds: imports point down."""

import ast
import pathlib
import subprocess
import sys

import pytest

import tfc_models

ROOT = pathlib.Path(tfc_models.__file__).parent

# A file imports from lower ranks or its own folder. The longest prefix counts.
RANKS = {
    "tfc_models.errors": 0,
    "tfc_models.lazy": 0,
    "tfc_models.strips": 0,
    "tfc_models.version": 0,
    "tfc_models.bitstream": 1,
    "tfc_models.fileio": 1,
    "tfc_models.memory": 1,
    "tfc_models.ops": 1,
    "tfc_models.registry": 1,
    "tfc_models.torch_file": 1,
    "tfc_models.upstream": 1,
    "tfc_models.weight_info": 1,
    "tfc_models.configs": 2,
    "tfc_models.datasets": 2,
    "tfc_models.layers": 2,
    "tfc_models.metrics": 2,
    "tfc_models.entropy_models": 3,
    "tfc_models.transforms": 3,
    "tfc_models.modeling": 4,
    "tfc_models.models": 6,
    "tfc_models.models.families": 5,
    "tfc_models.pretrained": 5,
    "tfc_models.codecs": 7,
    "tfc_models.convert": 7,
    "tfc_models.training": 7,
    "tfc_models.bundles": 8,
    "tfc_models.evaluation": 8,
    "tfc_models.export": 8,
    "tfc_models.numcodecs": 8,
    "tfc_models.pillow": 8,
    "tfc_models.serving": 9,
    "tfc_models.inspection": 9,
    "tfc_models.zoo": 10,
    "tfc_models.cli": 11,
    "tfc_models.__main__": 12,
    "tfc_models": 12,
}
TFC = ("tensorflow_compression", "tensorflow_compression_ops", "tf_keras")


def module_name(path):
  parts = path.relative_to(ROOT.parent).with_suffix("").parts
  return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def place(module):
  """Returns the entry of RANKS that a module falls under."""
  while module not in RANKS:
    module = module.rpartition(".")[0]
  return module


def imports(path):
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      for alias in node.names:
        full = f"{node.module}.{alias.name}"
        yield full if node.module.split(".")[0] == "tfc_models" else node.module


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
  here = place(module_name(path))
  for name in imports(path):
    if name.split(".")[0] in TFC:
      assert here == "tfc_models.upstream", f"{path} imports {name}"
    if name.split(".")[0] != "tfc_models":
      continue
    there = place(name)
    assert there == here or RANKS[there] < RANKS[here], f"{path} imports {name}"


@pytest.mark.parametrize("statement", [
    "import tfc_models",
    "import tfc_models.bitstream",
    "from tfc_models.cli.main import parse; parse(['tfcm', 'info', 'x'])",
    "from tfc_models.cli.main import parse; parse(['tfcm', 'verify', 'x'])",
    "from tfc_models.cli.main import parse; parse(['tfcm', 'compress', 'x'])",
    "from tfc_models import configs; configs.summaries()",
    "from tfc_models.cli.main import parse; parse(['tfcm', 'serve'])",
    "from tfc_models.export import versions",
])
def test_tensorflow_is_not_imported_by(statement):
  check = "; import sys; sys.exit('tensorflow' in sys.modules)"
  subprocess.run([sys.executable, "-c", statement + check], check=True)
