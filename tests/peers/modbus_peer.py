#!/usr/bin/env python3
"""Modbus peer on pymodbus 3.16: units that behave and units that do not.

  modbus_peer.py tcp PORT                     Modbus/TCP
  modbus_peer.py rtu_over_tcp PORT            RTU frames over TCP
  modbus_peer.py tls PORT CERT KEY [CA]       Modbus/TCP Security; with CA a client certificate is demanded
  modbus_peer.py rtu PTY [BAUD]               RTU on a serial port

Prints READY when it listens. SIGUSR1 mutes unit 15, SIGUSR2 unmutes it.

units  1 normal                         2 slow (3 s)
       3 exception: holding register N answers exception N (1-8, 10, 11)
       4 silent                         5 half an answer, then the connection is reset
       6 wrong transaction id (TCP), wrong CRC (RTU)
       7 answers twice                  8 answers late (1.5 s): after most clients gave up
       9 busy, busy, good               11-15 normal

Holding registers 100 to 499 of unit U hold U * 1000 + (address - 100), so that a value of another unit or
place is always noticed. What is below 100 is the same on every unit: see values().
"""
import argparse
import asyncio
import signal
import ssl
import struct

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.server import ModbusSerialServer, ModbusTcpServer, ModbusTlsServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

parser = argparse.ArgumentParser()
parser.add_argument("kind", choices=["tcp", "rtu_over_tcp", "tls", "rtu"])
parser.add_argument("where")
parser.add_argument("more", nargs="*")
ARGS = parser.parse_args()
SERIAL = ARGS.kind == "rtu"
RTU = ARGS.kind in ("rtu", "rtu_over_tcp")
MUTED = {4}
BUSY = {"asked": 0}


def words(fmt, value, order=None):
    """Registers of a number; order as in 'cdab', letters in wire order, a most significant."""
    octets = struct.pack(">" + fmt, value)
    if order:
        octets = bytes(octets["abcdefgh".index(letter)] for letter in order)
    return [octets[i] << 8 | octets[i + 1] for i in range(0, len(octets), 2)]


def values(unit):
    """Address -> registers, below 100 the same on every unit."""
    at = {0: [215, 65531, 1234, 0x0102, 0xA5A5], 20: [0x5249, 0x5345, 0x522D, 0x4148, 0x5531], 90: [0] * 10}
    for place, order in zip((30, 32, 34, 36), ("abcd", "cdab", "badc", "dcba")):
        at[place] = words("f", 21.5, order)
    for place, order in zip((40, 42, 44, 46), ("abcd", "cdab", "badc", "dcba")):
        at[place] = words("i", -123456, order)
    orders = ("abcdefgh", "ghefcdab", "badcfehg", "hgfedcba", "cdabghef", "efghabcd")
    for place, order in zip((50, 54, 58, 62, 66, 70), orders):
        at[place] = words("q", -(2**40) - 7, order)
    at[74] = words("d", -0.125)
    at[78] = [0x1234, 0x5678, 0x8000, 0xFFFF]
    at[100] = [unit * 1000 + i for i in range(400)]
    return at


def blocks(unit):
    coils = [SimData(0, values=[True, False] * 8, datatype=DataType.BITS)]
    discrete = [SimData(0, values=[False, True] * 8, datatype=DataType.BITS)]
    holding = [SimData(at, values=v, datatype=DataType.REGISTERS) for at, v in sorted(values(unit).items())]
    holding.append(SimData(85, values=[7], datatype=DataType.REGISTERS, readonly=True))
    holding.sort(key=lambda data: data.address)
    inputs = [SimData(0, values=[231, 480, 995], datatype=DataType.REGISTERS)]
    return (coils, discrete, holding, inputs)


async def slow(fc, start, addr, count, regs, sets):
    await asyncio.sleep(3.0)


async def late(fc, start, addr, count, regs, sets):
    await asyncio.sleep(1.5)


async def exception(fc, start, addr, count, regs, sets):
    return ExcCodes(addr) if addr in list(ExcCodes) else None


async def busy(fc, start, addr, count, regs, sets):
    BUSY["asked"] += 1
    return ExcCodes.DEVICE_BUSY if BUSY["asked"] % 3 else None


IDENTITY = ModbusDeviceIdentification(
    info_name={
        "VendorName": "RealPeer",
        "ProductCode": "RP1",
        "MajorMinorRevision": "1.2.3",
        "ModelName": "AHU-1",
        "UserApplicationName": "riser-test",
    }
)
BITS = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
PLAIN = (BITS, BITS) + ([SimData(0, count=64, values=[42], datatype=DataType.REGISTERS)],) * 2
ACTIONS = {2: slow, 3: exception, 8: late, 9: busy}
UNITS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15]
DEVICES = [
    SimDevice(u, simdata=PLAIN if u == 3 else blocks(u), action=ACTIONS.get(u), identity=IDENTITY) for u in UNITS
]

send_as_usual = ServerRequestHandler.server_send


def server_send(self, pdu, addr):
    """Bends the answers of units 4 to 7 on their way out."""
    unit = pdu.dev_id if pdu else 0
    if unit in MUTED:
        return None
    if not pdu or unit not in (5, 6, 7):
        return send_as_usual(self, pdu, addr)
    frame = self.framer.buildFrame(pdu)
    if unit == 5:
        self.send(frame[: len(frame) // 2], addr=addr)
        if not SERIAL and self.transport:
            self.loop.call_later(0.02, self.transport.abort)
    elif unit == 6:
        wrong = frame[:-1] + bytes([frame[-1] ^ 0xFF]) if RTU else bytes([frame[0] ^ 0x5A]) + frame[1:]
        self.send(wrong, addr=addr)
    else:
        self.send(frame + frame, addr=addr)
    return None


ServerRequestHandler.server_send = server_send


async def handle_request(self):
    """As pymodbus does it, but the answer keeps the unit id of its own request.

    pymodbus 3.16 labels a late answer with the unit (and on TCP the transaction id) of the request it got
    last. No slave on a serial line can do that, so there it is put right; on TCP it stays as it is.
    """
    request = self.last_pdu
    if not request:
        return
    try:
        response = await request.datastore_update(self.server.context, request.dev_id)
    except Exception:  # a unit that is not there: silence, as on a bus
        return
    response.dev_id = request.dev_id
    self.server_send(response, self.last_addr)


if RTU:
    ServerRequestHandler.handle_request = handle_request


def make_server():
    if SERIAL:
        baud = int(ARGS.more[0]) if ARGS.more else 19200
        return ModbusSerialServer(
            DEVICES, framer=FramerType.RTU, port=ARGS.where, baudrate=baud, ignore_missing_devices=True, identity=IDENTITY
        )
    address = ("127.0.0.1", int(ARGS.where))
    if ARGS.kind == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(ARGS.more[0], ARGS.more[1])
        if len(ARGS.more) > 2:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(ARGS.more[2])
        # The security specification keeps the MBAP header inside TLS.
        return ModbusTlsServer(DEVICES, framer=FramerType.SOCKET, address=address, sslctx=context, identity=IDENTITY)
    framer = FramerType.RTU if RTU else FramerType.SOCKET
    return ModbusTcpServer(DEVICES, framer=framer, address=address, ignore_missing_devices=RTU, identity=IDENTITY)


async def main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, MUTED.add, 15)
    loop.add_signal_handler(signal.SIGUSR2, MUTED.discard, 15)
    server = make_server()
    await server.serve_forever(background=True)
    print("READY", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
