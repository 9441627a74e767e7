"""Functions of a `Condition` that run as graphs where they are exact."""

from tfc_models.layers.exact import rounds
from tfc_models.layers.modulation import Condition
from tfc_models.ops.graph import Graph

# Before a graph is worth the time that tracing takes.
_CALLS = 4


class CaseGraph:
  """Runs a function of tensors and of params as a graph if all it says are integers.

  They are where the params are a `Condition` with cases and layers round: a graph then
  says what eager execution does, which the first calls are. Otherwise the function is
  called as it is.

  Args:
    function: of tensors and, last of all, params, see `ops.graph.Graph`.
  """

  def __init__(self, function):
    self._function = function
    self._graph = Graph(
        lambda *tensors: function(*tensors[:-2], Condition(*tensors[-2:])),
        eager_calls=_CALLS)

  def __call__(self, *arguments):
    *tensors, params = arguments
    if rounds(True) and isinstance(params, Condition) and params.case is not None:
      return self._graph(*tensors, *params)
    return self._function(*arguments)
