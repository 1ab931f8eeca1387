"""A cluster that is gone ends the process that needs it with one line, before Ray ends it with its own words."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("ray", reason="Ray is not installed (pip install 'frostline[ray]')")

SCRIPT = """
import sys, time, ray
from frostline.compute import contact
from frostline.compute.connection import connected
from frostline.compute.pool import Pool
from frostline.config.compute import ComputeConfig
from frostline.runtime.ending import ended

class Toy:
    def join(self):
        return "here"

    def sleep(self, seconds):
        time.sleep(seconds)

contact._SECONDS_OF_PATIENCE = 4
with ended(), connected(ComputeConfig(engine="ray", address=sys.argv[1])):
    actor = ray.remote(Toy).options(num_cpus=1, max_restarts=0)
    pool = Pool(actor.remote, lambda toy: toy.join.remote(), str, size=1, minutes=5)
    pool.submit("a", lambda toy: toy.sleep.remote(600))
    pool.until_joined()
    print("ready", flush=True)
    try:
        print(pool.wait())
        pool.submit("b", lambda toy: toy.sleep.remote(600))
        pool.wait()
    finally:
        pool.release("a")
        pool.close()
"""


OF_TENSORFLOW = ("WARNING: All log messages before", "I0000")


def stop_head(cluster) -> None:
    cluster.remove_node(cluster.head_node, allow_graceful=True)


def kill_raylet(cluster) -> None:
    cluster.head_node.kill_raylet()


@pytest.mark.parametrize(
    ("end", "who"),
    [(stop_head, "The head of the Ray cluster"), (kill_raylet, "Ray on this machine")],
)
def test_a_cluster_that_is_gone_is_one_clear_error(end, who) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, cluster.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        assert process.stdout.readline() == "ready\n"
        end(cluster)
        said, errors = process.communicate(timeout=50)
    finally:
        process.kill()
        cluster.shutdown()
    assert process.returncode == 1
    assert said == ""
    (line,) = [line for line in errors.splitlines() if not line.startswith(OF_TENSORFLOW)]
    assert line.startswith(f"Error: {who} (")
    assert line.endswith("What is finished is kept, and the same command resumes.")
