#!/bin/bash
# Three nodes of a SLURM cluster for `sbatch docs/clusters/slurm.sh`, from the project's folder on a shared disk.
# See docs/cluster.md. Not run by frostline's authors.
#SBATCH --job-name=frostline
#SBATCH --nodes=3
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --exclusive
#SBATCH --time=12:00:00
set -euo pipefail

source .venv/bin/activate
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}')

# On each node: ray start. On the head, once all three are there: dvc repro. Then, on each: ray stop.
srun ray symmetric-run --address "$address:6379" --min-nodes "$SLURM_JOB_NUM_NODES" \
  --num-cpus "$SLURM_CPUS_PER_TASK" -- dvc repro
