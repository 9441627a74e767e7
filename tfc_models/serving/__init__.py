"""A model server that speaks TensorFlow Serving's API; knows SavedModels only.

    gRPC (grpc_services) --+                +-- batching --+
                           +-> core: gate --+              +-> manager -> SavedModel
    REST (rest)          --+                +--------------+

Both front ends hand a request to `Core.predict` and get a future; the manager
says which version serves it, and holds that version until the answer is made.
"""

from tfc_models import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, {
    "Core": "tfc_models.serving.core",
    "Manager": "tfc_models.serving.manager",
    "ModelConfig": "tfc_models.serving.model_config",
    "Options": "tfc_models.serving.options",
    "SavedModel": "tfc_models.serving.saved_model",
    "Server": "tfc_models.serving.server",
    "ServingError": "tfc_models.serving.status",
})
