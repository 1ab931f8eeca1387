"""Where a server can listen, and where it cannot; and bounds that are none."""

import re
import socket

import pytest
from typer.testing import CliRunner

from frostline.cli import app
from frostline.errors import ServingError
from frostline.serving.connections import listen


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("", ""),
        ("256.256.256.256", ""),
        ("a" * 70, "that is no host's name"),
        ("203.0.113.1", "Cannot assign requested address. Choose a --host of this machine."),
    ],
)
def test_a_host_that_is_not_this_machine_is_refused(host, why):
    with pytest.raises(ServingError, match=re.escape(f"Cannot listen on {host}:0: {why}")) as error:
        listen(host, 0)
    assert "--host" in str(error.value)


def test_a_port_that_another_program_has_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServingError, match=f"127.0.0.1:{port}: Address already in use. Choose another --port."):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_names_and_addresses_are_listened_on(host):
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with listen(host, 0) as listener:
        socket.create_connection((host, listener.getsockname()[1])).close()


@pytest.mark.parametrize("option", ["--megabytes", "--seconds"])
@pytest.mark.parametrize("value", ["inf", "nan", "0"])
def test_a_bound_that_bounds_nothing_is_refused(option, value):
    answer = CliRunner().invoke(app, ["serve", option, value])
    assert answer.exit_code == 2
    assert f"Invalid value for '{option}'" in answer.output
