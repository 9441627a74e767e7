"""Exits with 0 if a server says over gRPC that it serves; for HEALTHCHECK.

Unlike an open port: a server that is told to end refuses first and closes later.
"""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


def check(address):
  """Ends the process: 0 if the server at `address` serves, else 1 and a reason."""
  with grpc.insecure_channel(address) as channel:
    stub = health_pb2_grpc.HealthStub(channel)
    try:
      status = stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status
    except grpc.RpcError as error:
      sys.exit(f"{address}: {error.code().name}")
  if status != health_pb2.HealthCheckResponse.SERVING:
    sys.exit(f"{address}: not serving")
  sys.exit(0)


if __name__ == "__main__":
  check(sys.argv[1] if sys.argv[1:] else "localhost:8500")
