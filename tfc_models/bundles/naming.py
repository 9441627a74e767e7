"""Names of all variables that a training step reads or changes."""

from tfc_models.modeling import weights

WEIGHTS = "model/"
AVERAGES = "average/"
OPTIMIZER = "optimizer/"

# What the runner sets before each call, beside the images; of networks other than
# the main one, with their name behind a slash.
LEARNING_RATE = "control/learning_rate"
LMBDA = "control/lmbda"
SEED = "control/seed"
# The step's own counter; the runner reads it.
STEP = "control/step"


def variables_by_name(model):
  """Returns a dict from unique name to variable of a compiled model."""
  paths = weights.variables_by_path(model, training_only=True)
  named = {WEIGHTS + path: variable for path, variable in paths.items()}
  if model.moving_average:
    by_variable = {variable.ref(): path for path, variable in paths.items()}
    for average, variable in model.moving_average.pairs():
      named[AVERAGES + by_variable[variable.ref()]] = average
  controls = {
      STEP: model.optimizer.iterations, LMBDA: model.controls.lmbda,
      SEED: model.controls.seed}
  for network, optimizer in model.optimizers.items():
    controls[_of(network, LEARNING_RATE)] = optimizer.learning_rate
  known = {variable.ref() for variable in controls.values()}
  for network, optimizer in model.optimizers.items():
    for number, variable in enumerate(optimizer.variables):
      if variable.ref() not in known:
        named[_of(network, OPTIMIZER[:-1]) + f"/{number}"] = variable
  return {**named, **controls}


def learning_rates(options, networks):
  """Returns a dict from name to the rate that the schedule starts from.

  Args:
    options: `configs.options.TrainOptions`.
    networks: of the model.
  """
  return {_of(network, LEARNING_RATE): options.of_optimizer(network).learning_rate
          for network in networks}


def _of(network, name):
  return name if network == "main" else f"{name}/{network}"
