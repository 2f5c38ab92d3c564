#!/usr/bin/env python3
"""A building's management system on bacpypes3, and on BAC0 above it: asks one BACnet device.

  bacnet_client.py bacpypes3|bac0 OWN/PREFIX:PORT DEVICE:PORT INSTANCE

Says READY, takes one order a line and answers each with one line "DONE" and JSON:
  read OBJECT PROPERTY [INDEX]     many OBJECT PROPERTY,PROPERTY [OBJECT PROPERTY,...]
  write OBJECT PROPERTY VALUE [PRIORITY]   (VALUE null relinquishes)
  whois [LOW HIGH]    whohas NAME    subscribe OBJECT confirmed|unconfirmed SECONDS    cancel OBJECT
Every notification is a line "TOLD" and JSON: [object, property, value]. What the device refuses is
{"refused": "..."}.
"""
import asyncio, json, sys

import bacnet_loopback
from bacpypes3.apdu import AbortPDU, ErrorPDU, ErrorRejectAbortNack, RejectPDU
from bacpypes3.app import Application
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.networkport import NetworkPortObject
from bacpypes3.pdu import Address
from bacpypes3.basetypes import ErrorType
from bacpypes3.primitivedata import Null, ObjectIdentifier


bacnet_loopback.install()


def plain(value):
    """A value as JSON has it."""
    if value is None or isinstance(value, Null):
        return None
    if isinstance(value, (AbortPDU, RejectPDU, ErrorPDU, ErrorRejectAbortNack)):
        return {"refused": str(value)}
    if isinstance(value, ErrorType):
        return {"refused": str(value.errorCode)}
    if hasattr(value, "get_value") and type(value).__name__ != "PriorityValue":
        value = value.get_value()
    if type(value).__name__ == "PriorityValue":
        return plain(getattr(value, value._choice))
    if isinstance(value, bool) or type(value).__name__ == "Boolean":
        return bool(value)
    if isinstance(value, ObjectIdentifier):
        return str(value)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_bitstring_names"):
        return [plain(v) for v in value]
    if type(value).__mro__[1].__name__ == "Enumerated" or hasattr(value, "asn1"):
        return str(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    return str(value)


class Plain:
    """bacpypes3 itself."""

    def __init__(self, own, device, instance):
        self.device, self.instance, self.watching = Address(device), instance, {}
        me = DeviceObject(objectIdentifier=("device", 4194001), objectName="asker", vendorIdentifier=999)
        port = NetworkPortObject(own, objectIdentifier=("network-port", 1), objectName="NetworkPort-1")
        self.app = Application.from_object_list([me, port])

    async def read(self, obj, prop, index=None):
        index = None if index is None else int(index)
        return plain(await self.app.read_property(self.device, ObjectIdentifier(obj), prop, index))

    async def many(self, *pairs):
        wanted = []
        for obj, props in zip(pairs[::2], pairs[1::2]):
            wanted += [ObjectIdentifier(obj), props.split(",")]
        found = await self.app.read_property_multiple(self.device, wanted)
        return [[str(o), str(p), i, plain(v)] for o, p, i, v in found]

    async def write(self, obj, prop, value, priority=None):
        value = Null(()) if value == "null" else json.loads(value)
        priority = None if priority is None else int(priority)
        return plain(await self.app.write_property(self.device, ObjectIdentifier(obj), prop, value, None, priority))

    async def whois(self, low=None, high=None):
        limits = [] if low is None else [int(low), int(high)]
        found = await self.app.who_is(*limits, timeout=2)
        return sorted([a.iAmDeviceIdentifier[1], a.maxAPDULengthAccepted, str(a.segmentationSupported), a.vendorID]
                      for a in found)

    async def whohas(self, name):
        found = await self.app.who_has(object_name=name, timeout=2)
        return [[str(a.deviceIdentifier), str(a.objectIdentifier), str(a.objectName)] for a in found or []]

    async def subscribe(self, obj, how, seconds):
        begun = asyncio.get_running_loop().create_future()
        self.watching[obj] = asyncio.create_task(self.watch(obj, how == "confirmed", int(seconds), begun))
        return await begun

    async def watch(self, obj, confirmed, seconds, begun):
        number = len(self.watching) + 1
        try:
            async with self.app.change_of_value(self.device, ObjectIdentifier(obj), number, confirmed, seconds) as cov:
                begun.set_result(None)
                while True:
                    prop, value = await cov.get_value()
                    print("TOLD", json.dumps([obj, str(prop), plain(value)]), flush=True)
        except BaseException as error:
            if not begun.done():
                begun.set_result({"refused": str(error)})
            elif not isinstance(error, asyncio.CancelledError):
                print("TOLD", json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
            raise

    async def cancel(self, obj):
        task = self.watching.pop(obj)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Bac0:
    """BAC0, as its own documentation uses it."""

    def __init__(self, own, device, instance):
        import BAC0
        BAC0.log_level("error")
        self.device = device
        self.net = BAC0.lite(ip=own.split(":")[0], port=int(own.split(":")[1]), ping=False)

    async def read(self, obj, prop, index=None):
        kind, number = obj.split(",")
        return plain(await self.net.read(f"{self.device} {camel(kind)} {number} {camel(prop)}"))

    async def many(self, *pairs):
        found = []
        for obj, props in zip(pairs[::2], pairs[1::2]):
            kind, number = obj.split(",")
            names = " ".join(camel(p) for p in props.split(","))
            found.append(plain(await self.net.readMultiple(f"{self.device} {camel(kind)} {number} {names}")))
        return found

    async def write(self, obj, prop, value, priority=None):
        kind, number = obj.split(",")
        level = "" if priority is None else f" - {priority}"
        return plain(await self.net._write(f"{self.device} {camel(kind)} {number} {camel(prop)} {value}{level}"))


def camel(name):
    first, *rest = name.split("-")
    return first + "".join(part.capitalize() for part in rest)


async def main():
    stack, own, device, instance = sys.argv[1:]
    asker = (Plain if stack == "bacpypes3" else Bac0)(own, device, int(instance))
    await asyncio.sleep(0.5)
    print("READY", flush=True)
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode():
        word, *rest = line.split()
        try:
            answer = await asyncio.wait_for(getattr(asker, word)(*rest), 20)
        except (AbortPDU, RejectPDU, ErrorPDU, ErrorRejectAbortNack) as refused:
            answer = {"refused": str(refused)}
        except Exception as error:  # what a stack makes of a refusal differs
            answer = {"refused": f"{type(error).__name__}: {error}"}
        print("DONE", json.dumps(answer), flush=True)


asyncio.run(main())
