"""Programs that run at the same time, as the processes of one training do."""

import json
import os
import socket
import subprocess
import sys


def environment_of(number, ports):
    """The environment of one of several processes of TensorFlow's."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    task = {"type": "worker", "index": number}
    return {**os.environ, "TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def in_processes(commands):
    """Runs commands (words, environment) at the same time, and returns their output."""
    started = [
        subprocess.Popen(
            [sys.executable, *map(str, words)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for words, environment in commands
    ]
    try:
        ended = [process.communicate(timeout=1500) for process in started]
    finally:
        for process in started:
            process.kill()
    for process, (_, errors) in zip(started, ended, strict=True):
        assert process.returncode == 0, errors
    return [output for output, _ in ended]
