"""What is told of models without running them: signatures and states."""

from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from tfc_models.serving import status


def address(model_spec):
  """Returns name, version number and label of a `ModelSpec`, None what is open."""
  choice = model_spec.WhichOneof("version_choice")
  return (
      model_spec.name,
      model_spec.version.value if choice == "version" else None,
      model_spec.version_label if choice == "version_label" else None)


def metadata(manager, request):
  """Returns the `GetModelMetadataResponse`: the signatures of a version."""
  if not request.metadata_field:
    raise status.invalid(
        "GetModelMetadataRequest must specify at least one metadata_field")
  for field in request.metadata_field:
    if field != "signature_def":
      raise status.invalid(f"Metadata field {field} is not supported")
  response = get_model_metadata_pb2.GetModelMetadataResponse()
  signatures = get_model_metadata_pb2.SignatureDefMap()
  with manager.acquire(*address(request.model_spec)) as handle:
    for name, signature in handle.model.signatures.items():
      signatures.signature_def[name].CopyFrom(signature)
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = handle.version
  response.metadata["signature_def"].Pack(signatures)
  return response


def model_status(manager, request):
  """Returns the `GetModelStatusResponse` of one version of a model, or of all."""
  response = get_model_status_pb2.GetModelStatusResponse()
  for version in manager.versions(*address(request.model_spec)):
    state = get_model_status_pb2.ModelVersionStatus.State.Value(version.state)
    added = response.model_version_status.add(version=version.number, state=state)
    added.status.error_code = status.NUMBERS[
        version.error.code if version.error else "OK"]
    added.status.error_message = str(version.error or "")
  return response
