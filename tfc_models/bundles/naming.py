"""Names of all variables that a training step reads or changes."""

from tfc_models.modeling import weights

WEIGHTS = "model/"
AVERAGES = "average/"
OPTIMIZER = "optimizer/"

# What the runner sets before each call, beside the images.
LEARNING_RATE = "control/learning_rate"
LMBDA = "control/lmbda"
SEED = "control/seed"
# The step's own counter; the runner reads it.
STEP = "control/step"


def variables_by_name(model):
  """Returns a dict from unique name to variable of a compiled model."""
  paths = weights.variables_by_path(model)
  named = {WEIGHTS + path: variable for path, variable in paths.items()}
  if model.moving_average:
    by_variable = {variable.ref(): path for path, variable in paths.items()}
    for variable, average in zip(
        model.trainable_variables, model.moving_average.averages):
      named[AVERAGES + by_variable[variable.ref()]] = average
  optimizer = model.optimizer
  controls = {
      LEARNING_RATE: optimizer.learning_rate, STEP: optimizer.iterations,
      LMBDA: model.controls.lmbda, SEED: model.controls.seed}
  known = {variable.ref() for variable in controls.values()}
  for number, variable in enumerate(optimizer.variables):
    if variable.ref() not in known:
      named[f"{OPTIMIZER}{number}"] = variable
  return {**named, **controls}
