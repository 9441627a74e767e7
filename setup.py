"""Package definition; the reasons for the pins are in README.md, under Limits."""

import pathlib
import re

from setuptools import find_packages, setup

_ROOT = pathlib.Path(__file__).parent
_VERSION = re.search(
    r'__version__ = "(.*?)"',
    (_ROOT / "tfc_models" / "version.py").read_text(encoding="utf-8")).group(1)


def _description():
  """Returns README for a package index, which has no files beside it.

  Pictures go; of relative links the paths stay.
  """
  text = (_ROOT / "README.md").read_text(encoding="utf-8")
  text = re.sub(r"!\[[^]]*\]\((?!https?:)[^)]*\)\n+", "", text)
  return re.sub(r"\[[^]]*\]\((?!https?:)([^)]*)\)", r"`\1`", text)


def _where(python, packages):
  """Returns requirements that count for some Pythons alone."""
  return [f"{package}; python_version {python}" for package in packages]


# tensorflow-compression is frozen on TensorFlow 2.14.
_WHOLE = _where("< '3.12'", [
    "tensorflow==2.14.1",
    "tensorflow-compression==2.14.1",
    "tensorflow-datasets",
    # Later ones need protobuf 5, TensorFlow 2.14 needs protobuf 4.
    "tensorflow-metadata<1.16",
])
# Its operations alone, and the Keras of models, which TensorFlow has no more.
_CODING_ONLY = _where(">= '3.12'", [
    "tensorflow>=2.17,<2.18",
    "tensorflow-compression-ops==2.17.0",
    "tf_keras>=2.17,<2.18",
])

# Comparison of codecs: BD-rates, plots, and anchors that Pillow lacks.
_EVALUATE = ["bjontegaard", "imagecodecs", "matplotlib", "pillow-heif"]

# Exports with warm-up requests, the model server and its clients.
_SERVE = [
    "aiohttp",
    "grpcio",
    # Later ones need protobuf 5.
    "grpcio-health-checking<1.63",
    "prometheus_client",
    *_where("< '3.12'", ["tensorflow-serving-api==2.14.1"]),
    *_where(">= '3.12'", ["tensorflow-serving-api==2.17.1"]),
]
# Later onnx needs a newer ml_dtypes than TensorFlow 2.14 allows.
_ONNX = ["onnx<1.18", "tf2onnx"]
_TRITON = ["nvidia-pytriton"]
_ZARR = ["numcodecs<0.16"]

setup(
    name="tfc_models",
    version=_VERSION,
    description="Learned image compression with TensorFlow Compression: "
    "models, bitstreams, weights, a command line.",
    long_description=_description(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.9,<3.13",
    packages=find_packages(include=["tfc_models", "tfc_models.*"]),
    package_data={
        "tfc_models": ["py.typed"],
        "tfc_models.bitstream": ["FORMAT.md"],
        "tfc_models.evaluation.published": ["kodak.json"],
        "tfc_models.pretrained": ["manifest.json", "*.npz"],
    },
    install_requires=[
        "absl-py",
        "ml_collections",
        "numpy<2",
        "Pillow>=11.0",
        "tqdm",
        *_WHOLE,
        *_CODING_ONLY,
    ],
    extras_require={
        # Pictures of more than 8 bits a sample.
        "deep": ["imagecodecs"],
        "demo": ["scikit-image"],
        "evaluate": _EVALUATE,
        "onnx": _ONNX,
        "serve": _SERVE,
        # Chunks of zarr arrays; the last that goes with numpy<2.
        "zarr": _ZARR,
        # NVIDIA's Triton in front of the same core.
        "triton": _TRITON,
        # Servers, runtimes and clients of others, for tests that are skipped without.
        "others": [*_TRITON, "openvino", "ovmsclient"],
        "test": [
            *_EVALUATE,
            *_ONNX,
            *_SERVE,
            *_ZARR,
            # Runs exports for ONNX.
            "onnxruntime",
            "hypothesis",
            # Runs training bundles; the last one that goes with numpy<2.
            "jax==0.4.30",
            "pip>=22.3",
            # With later ones pytest-xdist 3.8 splits its groups over workers.
            "pytest<9",
            "pytest-xdist",
            "ruff",
            "scikit-image",
            "setuptools",
            "wheel",
        ],
    },
    entry_points={
        "console_scripts": ["tfcm = tfc_models.cli.main:run"],
        "numcodecs.codecs": ["tfcm = tfc_models.numcodecs:Tfcm"],
    },
)
