"""How long this machine will take for what DVC would run, told before it runs."""
