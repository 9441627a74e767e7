"""Messages of the library, and what the command line adds to them."""

import ast
import pathlib
import re

from tfc_models.cli import main as cli


def raised_texts():
  """Yields (file, text) of what the library raises, outside the command line."""
  root = pathlib.Path(cli.__file__).parents[1]
  for path in root.rglob("*.py"):
    # Of the runner, which is a program, the command line is its own.
    if path.parent.name == "cli" or path.name == "run_bundle.py":
      continue
    for node in ast.walk(ast.parse(path.read_text())):
      if isinstance(node, ast.Raise):
        for part in ast.walk(node):
          if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield path, part.value
          elif (isinstance(part, ast.keyword) and part.arg == "argument"
                and isinstance(part.value, ast.Constant)):  # Not handed on.
            yield path, f"argument={part.value.value}"


def test_the_library_names_arguments_and_the_command_line_its_flags():
  named = set()
  for path, text in raised_texts():
    assert not re.search(r"(^|\s)--\w", text), f"{path}: {text}"
    if text.startswith("argument="):
      named.add(text.removeprefix("argument="))
  assert named == set(cli.HINTS)
