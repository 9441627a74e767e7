"""Configuration files of TensorFlow Serving whose protos its wheel lacks.

Their messages are declared here field by field, so that protobuf itself reads the
text: comments, quotes, and a complaint about any field that does not exist.
"""

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

from tfc_models.errors import UsageError
from tfc_models.fileio import read_bytes

_FIELD = descriptor_pb2.FieldDescriptorProto
_INT64, _BOOL, _STRING = _FIELD.TYPE_INT64, _FIELD.TYPE_BOOL, _FIELD.TYPE_STRING

# Message to its fields: name, number, type or message, whether repeated.
_MESSAGES = {
    # servables/tensorflow/session_bundle_config.proto
    "BatchingParameters": (
        ("max_batch_size", 1, ".google.protobuf.Int64Value", False),
        ("batch_timeout_micros", 2, ".google.protobuf.Int64Value", False),
        ("max_enqueued_batches", 3, ".google.protobuf.Int64Value", False),
        ("num_batch_threads", 4, ".google.protobuf.Int64Value", False),
        ("thread_pool_name", 5, ".google.protobuf.StringValue", False),
        ("allowed_batch_sizes", 6, _INT64, True),
        ("pad_variable_length_inputs", 7, _BOOL, False)),
    # config/ssl_config.proto
    "SSLConfig": (
        ("server_key", 1, _STRING, False),
        ("server_cert", 2, _STRING, False),
        ("custom_ca", 3, _STRING, False),
        ("client_verify", 4, _BOOL, False)),
    # config/monitoring_config.proto
    "PrometheusConfig": (
        ("enable", 1, _BOOL, False),
        ("path", 2, _STRING, False)),
    "MonitoringConfig": (
        ("prometheus_config", 1, ".tensorflow.serving.PrometheusConfig", False),),
}


def read_text(path, message):
  """Returns `message`, filled from a text file.

  Args:
    path: of the file.
    message: an empty protobuf message, or the name of one declared here.

  Raises:
    UsageError: if the file cannot be read or holds anything else.
  """
  if isinstance(message, str):
    message = _classes()[message]()
  try:
    return text_format.Parse(read_bytes(path).decode(), message)
  except (text_format.ParseError, UnicodeDecodeError) as error:
    name = message.DESCRIPTOR.name
    raise UsageError(f"{path}: no {name} in text format ({error})") from None


def _classes():
  """Returns the messages by name, in a pool of their own."""
  file = descriptor_pb2.FileDescriptorProto(
      name="tfc_models/serving.proto", package="tensorflow.serving",
      syntax="proto3", dependency=[wrappers_pb2.DESCRIPTOR.name])
  for name, fields in _MESSAGES.items():
    message = file.message_type.add(name=name)
    for field, number, kind, repeated in fields:
      label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
      added = message.field.add(name=field, number=number, label=label)
      if isinstance(kind, str):
        added.type, added.type_name = _FIELD.TYPE_MESSAGE, kind
      else:
        added.type = kind
  pool = descriptor_pool.DescriptorPool()
  pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
  pool.Add(file)
  return {
      name: message_factory.GetMessageClass(
          pool.FindMessageTypeByName(f"tensorflow.serving.{name}"))
      for name in _MESSAGES}
