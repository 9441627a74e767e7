"""What Prometheus is told, under TensorFlow Serving's names where it has them."""

import prometheus_client
from prometheus_client.metrics_core import Metric

# TensorFlow Serving's: 33 buckets from 10 microseconds to 20 minutes.
_MICROSECONDS = [10 * 1.8**i for i in range(33)]
PATH = "/monitoring/prometheus/metrics"
CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST


class _PlainCounter:
  """A counter without the suffix `_total`, which TensorFlow Serving's lack."""

  def __init__(self, name, documentation, labels, registry):
    self.counter = prometheus_client.Counter(
        name, documentation, labels, registry=None)
    registry.register(self)

  def collect(self):
    for metric in self.counter.collect():
      plain = Metric(metric.name, metric.documentation, "unknown")
      for sample in metric.samples:
        if sample.name.endswith("_total"):
          plain.add_sample(metric.name, sample.labels, sample.value)
      yield plain


class Metrics:
  """Counts of one server.

  Args:
    model_names: () to the names of the models. A label for any name that a client
      makes up would take memory for ever.
    in_flight: () to how many requests are under way or queued.
  """

  def __init__(self, model_names=tuple, in_flight=lambda: 0):
    self._model_names = model_names
    self._registry = prometheus_client.CollectorRegistry()
    self._requests = _PlainCounter(
        ":tensorflow:serving:request_count", "The total number of requests.",
        ["model_name", "status"], self._registry).counter
    self._request_latency = prometheus_client.Histogram(
        ":tensorflow:serving:request_latency",
        "Wall time (in microseconds) of requests.",
        ["model_name", "API", "entrypoint"], buckets=_MICROSECONDS,
        registry=self._registry)
    self._runtime_latency = prometheus_client.Histogram(
        ":tensorflow:serving:runtime_latency",
        "Wall time (in microseconds) in TensorFlow.",
        ["model_name", "API", "runtime"], buckets=_MICROSECONDS,
        registry=self._registry)
    self._states = prometheus_client.Gauge(
        "tfcm_serving_version_state", "1 for the state of a version of a model.",
        ["model_name", "version", "state"], registry=self._registry)
    prometheus_client.Gauge(
        "tfcm_serving_requests_in_flight", "Requests under way or queued.",
        registry=self._registry).set_function(in_flight)

  def request(self, model_name, entrypoint, code, seconds):
    """Counts a request that has ended.

    Args:
      model_name: as the client called it.
      entrypoint: GRPC or REST.
      code: how it ended, a name of gRPC.
      seconds: it took.
    """
    if model_name not in self._model_names():
      model_name = ""
    self._requests.labels(model_name, code).inc()
    self._request_latency.labels(model_name, "Predict", entrypoint).observe(
        seconds * 1e6)

  def run(self, model_name, seconds):
    """Counts a run of a model."""
    self._runtime_latency.labels(model_name, "Predict", "TF1").observe(seconds * 1e6)

  def version(self, version):
    """Takes down the state of a `states.Version`."""
    for state in ("LOADING", "AVAILABLE", "UNLOADING", "END"):
      labels = version.name, str(version.number), state
      if state == version.state != "END":
        self._states.labels(*labels).set(1)
      else:
        self._states.remove(*labels)

  def page(self):
    """Returns what is served at `PATH`, bytes of `CONTENT_TYPE`."""
    return prometheus_client.generate_latest(self._registry)
