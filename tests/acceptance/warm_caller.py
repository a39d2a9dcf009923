"""Stands for the program where a warm process is it: hands over arguments, folder, environment and streams, passes
signals on, and ends as the program ended. Started without site-packages, so that it costs next to nothing.
"""

import json
import os
import signal
import socket
import sys
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
waiting: list[int] = []
child = 0


def pass_on(number: int, _frame: FrameType | None) -> None:
    """Send the program a signal that was meant for it, now or once it is there."""
    if child:
        os.kill(child, number)
    else:
        waiting.append(number)


for one in SIGNALS:
    if signal.getsignal(one) is not signal.SIG_IGN:
        signal.signal(one, pass_on)
line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
line.connect(sys.argv[1])
call = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(line, [len(call).to_bytes(4, "big")], [0, 1, 2])
line.sendall(call)
for one in (0, 1, 2):
    os.close(one)
child = int.from_bytes(line.recv(4), "big")
for one in waiting:
    os.kill(child, one)
status = int.from_bytes(line.recv(4), "big")
if os.WIFSIGNALED(status):
    signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
    os.kill(os.getpid(), os.WTERMSIG(status))
os._exit(os.waitstatus_to_exitcode(status))
