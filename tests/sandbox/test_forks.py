"""What a forked child inherits from a running sandbox."""

import contextlib

import pytest

from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

from ..support.events import lead
from ..support.forking import forked_child, forks
from ..support.processes import run_program
from .helpers import connect, port_of, post, read_to_end


@forks
def test_a_child_does_not_keep_the_port() -> None:
    """The parent's port and connections close at the end of the block, even if a child runs."""
    with contextlib.ExitStack() as stack:
        with Sandbox() as sandbox, CMSClient(sandbox.token, sandbox.url) as client:
            connection = stack.enter_context(connect(sandbox))
            connection.sendall(b"GET /elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 404")
            stack.enter_context(forked_child())
            assert lead(client)["success"] is True
            sandbox.fail_next(drop=True)
            assert lead(client, max_retries=0)["type"] == "network_error"
        read_to_end(connection)
        with pytest.raises(ConnectionRefusedError):
            connect(sandbox)
        with Sandbox(port=port_of(sandbox)) as again:
            assert post(again, {}).status == 422


@forks
def test_a_child_can_leave_the_block() -> None:
    """A child can leave the block and restart the sandbox without an effect on its parent."""
    program = """
import os
from cutmeshort import CMSClient
from cutmeshort.sandbox import Sandbox

sandbox = Sandbox()
with sandbox:
    child = os.fork()
    if child != 0:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        print(len(sandbox.leads))
    with CMSClient(sandbox.token, sandbox.url) as client:
        print(client.track_lead("Sign up", "user_42", "click_1")["success"])
with sandbox:
    with CMSClient(sandbox.token, sandbox.url) as client:
        print(client.track_lead("Trial", "user_42", "click_1")["success"])
print(len(sandbox.leads), flush=True)
"""
    assert run_program(program) == "True\nTrue\n1\n1\nTrue\nTrue\n2\n"
