"""The files of docs/clusters, which nobody can run here, as far as they can be checked."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'frostline[ray]')")

ROOT = Path(__file__).parents[2]
FILES = ROOT / "docs" / "clusters"


def test_rays_schema_knows_the_cloud_cluster_and_all_machines_are_there_from_the_start() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    cluster = yaml.safe_load((FILES / "aws.yaml").read_text())
    jsonschema.validate(cluster, json.loads((Path(ray.__file__).parent / "autoscaler/ray-schema.json").read_text()))
    kinds = cluster["available_node_types"]
    assert sum(kind.get("min_workers", 0) for kind in kinds.values()) == cluster["max_workers"]
    assert cluster["head_node_type"] in kinds


def test_all_name_the_ray_that_is_required() -> None:
    required = re.search(r"^ray==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    named = re.findall(r"ray(?:\[default\]==|:|Version: \")([\d.]+)", "".join(f.read_text() for f in FILES.iterdir()))
    assert required
    assert named == [required[1]] * 3


def test_the_pods_of_kubernetes_run_one_image() -> None:
    cluster, claim = yaml.safe_load_all((FILES / "kuberay.yaml").read_text())
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    pods = [group["template"]["spec"] for group in groups]
    assert len({container["image"] for pod in pods for container in pod["containers"]}) == 1
    (volume,) = pods[0]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_slurms_script_can_be_parsed_and_calls_what_ray_has() -> None:
    script = FILES / "slurm.sh"
    subprocess.run(["bash", "-n", str(script)], check=True)
    from ray.scripts.symmetric_run import symmetric_run

    options = {option for each in symmetric_run.params for option in each.opts}
    assert {"--address", "--min-nodes"} <= options
    assert "ray symmetric-run --address" in script.read_text()
