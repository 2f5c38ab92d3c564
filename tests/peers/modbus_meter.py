#!/usr/bin/env python3
"""Two energy meters on pymodbus 3.16, for whoever looks for devices: modbus_meter.py PORT

Units 1 and 2 answer as a Carlo Gavazzi EM24 Ethernet does (identification code 1650 at 000B hex, INT32 with
the low word first); both say the same of themselves. Unit 5 is no device anybody has a profile of. Every other
unit is silent. Prints READY when it listens.
"""
import asyncio
import sys

from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice


def low_first(number):
    return [number & 0xFFFF, number >> 16 & 0xFFFF]


def meter(unit):
    at = [0] * 0xA200
    for place, tenths in zip((0x00, 0x02, 0x04), (2301, 2312, 2298)):
        at[place : place + 2] = low_first(tenths + unit)
    at[0x0B] = 1650
    at[0x0C:0x0E] = low_first(4200)
    at[0x28:0x2A] = low_first(12345)
    at[0xA000] = 7
    return at


IDENTITY = ModbusDeviceIdentification(
    info_name={
        "VendorName": "Carlo Gavazzi",
        "ProductCode": "EM24",
        "MajorMinorRevision": "1.0",
        "ModelName": "EM24DINAV23XE1",
    }
)
BITS = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]


def device(unit, registers):
    words = [SimData(0, values=registers, datatype=DataType.REGISTERS)]
    return SimDevice(unit, simdata=(BITS, BITS, words, words), identity=IDENTITY)


UNITS = {1: meter(1), 2: meter(2), 5: [7] * 0x100}
DEVICES = [device(unit, registers) for unit, registers in UNITS.items()]

send_as_usual = ServerRequestHandler.server_send


def server_send(self, pdu, addr):
    """pymodbus says what it is for every unit; a bus does not."""
    if pdu and pdu.dev_id in UNITS:
        send_as_usual(self, pdu, addr)


ServerRequestHandler.server_send = server_send


async def main():
    port = int(sys.argv[1])
    server = ModbusTcpServer(DEVICES, address=("127.0.0.1", port), ignore_missing_devices=True, identity=IDENTITY)
    await server.serve_forever(background=True)
    print("READY", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
