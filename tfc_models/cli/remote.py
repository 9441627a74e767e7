"""Verbs that code at a model server: their flags, and what these exclude."""

from tfc_models.errors import UsageError


def add_arguments(parser):
  """Adds the flags of a server."""
  group = parser.add_argument_group("at a model server")
  group.add_argument(
      "--server", metavar="URL",
      help="code by an export that is served (tfcm serve, TensorFlow Serving): "
      "grpc://HOST:PORT/MODEL or http://HOST:PORT/MODEL, grpcs and https for TLS")
  group.add_argument(
      "--timeout", type=float, metavar="S",
      help="that it may take for a file (default 60)")
  group.add_argument(
      "--server_ca", metavar="PEM",
      help="certificates that its own must come from (default: those of the system)")


def client(arguments, excluded, **options):
  """Returns the `serving.Client` that is asked for, or None if none is.

  Args:
    arguments: parsed.
    excluded: names of flags that a server cannot follow.
    **options: of the client.

  Raises:
    UsageError: if a flag is given that has no meaning so.
  """
  verb, asks = arguments.verb, arguments.server is not None
  for name in excluded if asks else ("timeout", "server_ca"):
    value = getattr(arguments, name)
    if value is None or value is False or value == []:
      continue
    raise UsageError(
        f"{verb}: --{name} does not go with --server, where the export decides"
        if asks else f"{verb}: --{name} goes with --server")
  if not asks:
    return None
  from tfc_models.serving import Client
  if arguments.timeout is not None:
    options["timeout"] = arguments.timeout
  return Client(arguments.server, ca=arguments.server_ca, **options)
