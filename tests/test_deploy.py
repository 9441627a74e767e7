"""The deployment kit names files, flags, models and ports that exist."""

import fnmatch
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tests import serving
from tfc_models.cli import main as cli
from tfc_models.serving import batching, model_config, protos

pytestmark = pytest.mark.xdist_group("serving")
ROOT = pathlib.Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILES = sorted(DEPLOY.rglob("Dockerfile"))
MODEL_LISTS = ["models.config", "split.config"]
# Where images and manifests put the folder deploy/config.
CONFIG = "/etc/tfcm/"


def instructions(path):
  """Yields name and arguments of each instruction of a Dockerfile."""
  text = re.sub(r"^ *#.*\n", "", path.read_text(), flags=re.MULTILINE)
  for line in text.replace("\\\n", " ").splitlines():
    if line.strip():
      name, _, rest = line.partition(" ")
      yield name, rest.strip()


def stages(path):
  """Returns the instructions of each stage, by its name; the last is "" too."""
  found = {}
  for name, rest in instructions(path):
    if name == "FROM":
      image, _, alias = rest.partition(" AS ")
      found[alias] = found[""] = [(name, image)]
    elif found:
      found[""].append((name, rest))
  return found


def list_of(stage, wanted):
  """Returns the words of an instruction in the form of a list, [] without it."""
  return [word for name, rest in stage if name == wanted
          for word in yaml.safe_load(rest)]


def serve_of(arguments):
  """Returns what `tfcm serve` understands, and checks the files it is to read."""
  parsed = cli.parse(["tfcm", "serve", *arguments])
  for value in vars(parsed).values():
    if isinstance(value, str) and value.startswith(CONFIG):
      assert (DEPLOY / "config" / value[len(CONFIG):]).is_file(), value
  return parsed


def objects(name):
  """Returns the objects of a file of Kubernetes, by kind."""
  found = {item["kind"]: item for item in yaml.safe_load_all(
      (DEPLOY / name).read_text())}
  assert all(item["apiVersion"] for item in found.values())
  return found


def models(name):
  return model_config.read(str(DEPLOY / "config" / name))


@pytest.mark.parametrize("name", MODEL_LISTS)
def test_model_lists_are_those_of_tensorflow_serving(name):
  proto = text_format.Parse(
      (DEPLOY / "config" / name).read_text(),
      model_server_config_pb2.ModelServerConfig())
  assert len(proto.model_config_list.config) == len(models(name)) > 1
  for config in models(name):
    assert config.base_path == f"/models/{config.name}"
    if config.specific:
      assert set(config.labels.values()) <= set(config.specific)


def test_sample_parameters_are_understood():
  parameters = batching.read(str(DEPLOY / "config/batching.config"))
  assert parameters.max_batch_size == parameters.allowed_batch_sizes[-1]
  monitoring = protos.read_text(
      str(DEPLOY / "config/monitoring.config"), "MonitoringConfig").prometheus_config
  (job,) = yaml.safe_load(
      (DEPLOY / "config/prometheus.yaml").read_text())["scrape_configs"]
  assert monitoring.enable and monitoring.path == job["metrics_path"]


def test_images_hold_what_the_samples_name():
  found = stages(DEPLOY / "docker/Dockerfile")
  versions = {}
  for flavor in ("full", "split"):
    (text,) = [rest for name, rest in found[flavor] if name == "RUN"]
    for command in text.split("&&"):
      export = cli.parse(shlex.split(command))
      assert (export.verb, export.flavor, export.output) == (
          "export", flavor, "/models")
      name = export.name or export.model
      versions[name] = flavor, versions.get(name, (flavor, 0))[1] + 1
  named = {config.name: config for file in MODEL_LISTS for config in models(file)}
  assert named.keys() == versions.keys()
  for name, config in named.items():
    assert max([*config.specific, *config.labels.values(), 1]) <= versions[name][1]
  assert {versions[config.name][0] for config in models("split.config")} == {"split"}
  for stage in ("serve", "stock"):
    for name, rest in found[stage]:
      assert not re.match("COPY --from=(?!full|split)", f"{name} {rest}")


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda p: str(p.parent.name))
def test_dockerfiles_copy_what_the_context_has(path):
  ignored = (ROOT / ".dockerignore").read_text().splitlines()
  kept = [line[1:] for line in ignored if line.startswith("!")]
  names = stages(path)
  for name, rest in instructions(path):
    if name != "COPY":
      continue
    first, *words = shlex.split(rest)
    if first.startswith("--from="):
      assert first[len("--from="):] in names
      continue
    for source in [first, *words][:-1]:
      assert (ROOT / source).exists(), source
      assert any(fnmatch.fnmatch(f"{source}/", f"{line}/*") for line in kept), source


def test_our_image_starts_our_server():
  stage = stages(DEPLOY / "docker/Dockerfile")["serve"]
  program, verb, *always = list_of(stage, "ENTRYPOINT")
  assert (program, verb) == ("tfcm", "serve")
  assert list_of(stage, "CMD")
  serve = serve_of([*always, *list_of(stage, "CMD")])
  assert serve.host == "0.0.0.0"
  assert ("EXPOSE", f"{serve.port} {serve.rest_api_port}") in stage
  assert not dict(stage)["USER"].startswith(("0", "root"))
  (check,) = [rest for name, rest in stage if name == "HEALTHCHECK"]
  *_, script, address = yaml.safe_load(check.partition(" CMD ")[2])
  assert ("COPY", f"deploy/docker/health.py {script}") in stage
  assert address == f"localhost:{serve.port}"


@pytest.mark.parametrize("path, stage", [
    ("docker/Dockerfile", "stock"), ("docker/with_tfc/Dockerfile", "")])
def test_flags_of_tensorflow_serving_are_ours_too(path, stage):
  """So those of one server are not mistaken for the other's."""
  flags = list_of(stages(DEPLOY / path)[stage], "CMD")
  assert flags and serve_of(flags).model_config_file


def test_the_patch_adds_the_target_that_there_is():
  folder = DEPLOY / "docker/with_tfc"
  (added,) = re.findall(
      r'^\+ +"//(.*):(.*)",$', (folder / "model_servers.patch").read_text(),
      re.MULTILINE)
  assert added[0] == "tensorflow_compression/cc"
  assert f'name = "{added[1]}"' in (folder / "BUILD.ops").read_text()


@pytest.mark.parametrize("name", ["kubernetes/serve.yaml", "kubernetes/stock.yaml"])
def test_manifests_fit_together(name):
  found = objects(name)
  deployment = found["Deployment"]
  template = deployment["spec"]["template"]
  labels = template["metadata"]["labels"]
  assert deployment["spec"]["selector"]["matchLabels"] == labels
  assert found["Service"]["spec"]["selector"] == labels
  (container,) = template["spec"]["containers"]
  serve = serve_of(container["args"])
  ports = {port["name"]: port["containerPort"] for port in container["ports"]}
  assert ports == {"grpc": serve.port, "rest": serve.rest_api_port}
  assert {port["targetPort"] for port in found["Service"]["spec"]["ports"]} == set(ports)
  for kind in ("startup", "readiness", "liveness"):
    (probe,) = [value for value in container[f"{kind}Probe"].values()
                if isinstance(value, dict)]
    assert probe["port"] in {*ports, *ports.values()}
    if "path" in probe:
      assert probe["path"] in [
          f"/v1/models/{config.name}" for config in models("split.config")]
  pause = int(container["lifecycle"]["preStop"]["exec"]["command"][-1])
  ours = serve.shutdown_grace_seconds if "serve" in name else 0
  assert template["spec"]["terminationGracePeriodSeconds"] > pause + ours
  if scaler := found.get("HorizontalPodAutoscaler"):
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]


def test_kustomize_brings_the_files_that_manifests_mount():
  kustomization = objects("kustomization.yaml")["Kustomization"]
  (generator,) = kustomization["configMapGenerator"]
  for path in [*kustomization["resources"], *generator["files"]]:
    assert (DEPLOY / path).is_file(), path
  for name in ("kubernetes/serve.yaml", "kubernetes/stock.yaml"):
    volumes = objects(name)["Deployment"]["spec"]["template"]["spec"]["volumes"]
    assert generator["name"] in [
        volume.get("configMap", {}).get("name") for volume in volumes]


def test_kserve_speaks_to_the_port_that_is_served():
  predictor = objects("kserve/full.yaml")["InferenceService"]["spec"]["predictor"]
  (container,) = predictor["containers"]
  serve = serve_of(container["args"])
  assert [port["containerPort"] for port in container["ports"]] == [serve.rest_api_port]
  probe = container["readinessProbe"]["httpGet"]
  assert probe["path"] == f"/v1/models/{serve.model_name}"
  assert serve.rest_api_timeout_in_ms <= 1000 * predictor["timeout"]
  model = objects("kserve/split.yaml")["InferenceService"]["spec"]["predictor"]["model"]
  assert model["modelFormat"]["name"] == "tensorflow"


def test_the_health_check_tells_a_server_that_serves():
  def exit_code(port):
    return subprocess.run(
        [sys.executable, DEPLOY / "docker/health.py", f"127.0.0.1:{port}"],
        capture_output=True, timeout=60).returncode

  with serving.serving() as client:
    port = client.server.port
    assert exit_code(port) == 0
    client.server._health.enter_graceful_shutdown()
    assert exit_code(port) == 1
  assert exit_code(port) == 1
