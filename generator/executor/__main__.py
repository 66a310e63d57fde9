"""The executor's process: sets itself up, reads its configuration and runs the loop. Knows no requests.

Tested in tests/generator/executor/test_main.py.
"""

from __future__ import annotations

import faulthandler
import logging
import sys
import threading
from collections.abc import Callable

from generator.executor.device import Device
from generator.executor.events import EventWriter
from generator.executor.loop import Executor
from generator.executor.pulse import Pulse
from generator.process.confine import hide_memory
from generator.process.lifeline import die_with_parent, guard_group, lower_priority, take_stdout
from generator.protocol import PROTOCOL_VERSION, ExecutorConfig, config_from_wire, from_line


def _torch_device(config: ExecutorConfig) -> Device:
    from generator.model.device import TorchDevice

    return TorchDevice(config)


def main(make_device: Callable[[ExecutorConfig], Device] = _torch_device, *, pulse_seconds: float = 20.0) -> None:
    """Run the executor: read requests from stdin and write events to stdout, until stdin ends.

    `pulse_seconds` is the time between two reports of a long load.
    """
    guard_group()
    pulse = Pulse(pulse_seconds)
    hide_memory()  # its environment has the hub's token
    lower_priority()
    events = EventWriter(take_stdout())
    first = sys.stdin.buffer.readline()
    if not first:
        return
    wire = from_line(first)
    die_with_parent(int(wire["parent"]))
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    faulthandler.enable()
    config = config_from_wire(wire)
    events.write("hello", protocol=PROTOCOL_VERSION)
    executor = Executor(config, events, pulse)
    threading.Thread(target=executor.read_requests, args=(sys.stdin.buffer,), name="reader", daemon=True).start()
    executor.run(make_device)


if __name__ == "__main__":
    main()
