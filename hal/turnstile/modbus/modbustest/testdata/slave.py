"""A Modbus RTU slave by pymodbus, told and asked over its standard streams.

Arguments: port, baud, unit, number of channels. Standard input takes a line an
order: "set CHANNEL 0|1", "pulse CHANNEL MILLISECONDS" (inverts an input for
that long), "holding ADDRESS VALUE". Standard output answers each with "ok",
and says "write c|h ADDRESS VALUE" for everything a master has written.
"""

import asyncio
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartAsyncSerialServer
from pymodbus.transaction import ModbusRtuFramer


def say(*words):
    print(*words, flush=True)


class Told(ModbusSequentialDataBlock):
    """Values that a master may write, each of which is told."""

    def __init__(self, name, count):
        super().__init__(0, [0] * count)
        self.name = name

    def setValues(self, address, values):
        super().setValues(address, values)
        for i, value in enumerate(values if isinstance(values, list) else [values]):
            say("write", self.name, address + i, int(value))


async def obey(context, quiet):
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    def drive(channel, on):
        context.setValues(2, channel, [on])
        context.setValues(4, channel, [int(on)])

    while line := await reader.readline():
        order, *args = line.decode().split()
        first, second = (int(a) for a in args)
        if order == "set":
            drive(first, bool(second))
        elif order == "pulse":
            was = bool(context.getValues(2, first, 1)[0])
            drive(first, not was)
            loop.call_later(second / 1000, drive, first, was)
        elif order == "holding":
            ModbusSequentialDataBlock.setValues(quiet, first, [second])
        say("ok")
    raise SystemExit(0)


async def main():
    port, baud, unit, channels = sys.argv[1], *(int(a) for a in sys.argv[2:])
    holding = Told("h", channels)
    slave = ModbusSlaveContext(
        di=ModbusSequentialDataBlock(0, [False] * channels),
        ir=ModbusSequentialDataBlock(0, [0] * channels),
        co=Told("c", channels),
        hr=holding,
        zero_mode=True,
    )
    server = await StartAsyncSerialServer(
        context=ModbusServerContext(slaves={unit: slave}, single=False),
        framer=ModbusRtuFramer,
        port=port,
        baudrate=baud,
        timeout=1,
        ignore_missing_slaves=True,
        broadcast_enable=True,
        defer_start=True,
    )
    await server.start()
    if server.transport is None:
        sys.exit("the port was not opened")
    say("ok")
    await obey(slave, holding)


asyncio.run(main())
