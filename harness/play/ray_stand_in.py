"""Stands in for an agent of Ray's, and lives as long as its raylet.

    ray_stand_in.py SESSION
        for an agent that nobody asks
    ray_stand_in.py SESSION ADDRESS PORT COMMAND
        for one that may be asked: it listens, and when somebody comes, who then tries again, it
        becomes COMMAND, which has an option `...-port=0`

Started as a script by the raylet, without any packages: see ray_processes.without_agents. SESSION
marks the cluster.
"""

import os
import socket
import sys
import time

LOOK_S = 1.0


def shared_door(address: str, port: int = 0) -> socket.socket:
    """A socket at a port that other processes of this user may share, which does not listen yet.

    Linux only. Port 0: one that is free.
    """
    door = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        door.bind((address, port))
    except OSError:
        door.close()
        raise
    return door


def asked(parent: int, address: str, port: int) -> bool:
    """Whether somebody came before the raylet was gone."""
    with shared_door(address, port) as door:
        door.listen()
        door.settimeout(LOOK_S)
        while os.getppid() == parent:
            try:
                asker, _ = door.accept()
            except TimeoutError:
                continue
            asker.close()
            return True
    return False


def main(address: str = "", port: str = "", *command: str) -> None:
    """Stand in; the arguments are those after SESSION."""
    parent = os.getppid()
    if not address:
        while os.getppid() == parent:
            time.sleep(LOOK_S)
    elif asked(parent, address, int(port)):
        told = [f"{each[:-2]}={port}" if each.endswith("-port=0") else each for each in command]
        os.execv(told[0], told)


if __name__ == "__main__":
    main(*sys.argv[2:])
