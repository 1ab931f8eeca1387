"""One module per stage of `dvc.yaml`: read inputs, call the domain, write outputs."""
