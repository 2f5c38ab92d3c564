#!/usr/bin/env python3
"""BACnet/IP devices on bacpypes3: a full one, one with very many objects, a crowd with bad manners.

  bacnet_devices.py [--bbmd PEER,PEER] ADDR/PREFIX[:PORT] INSTANCE [ADDR/PREFIX[:PORT] INSTANCE ...]
  bacnet_devices.py --many N --segmentation both|claims|none ADDR/PREFIX[:PORT] INSTANCE
  bacnet_devices.py --crowd FILE            one JSON object a line: address, instance, and its manners

Says READY when it listens, and takes lines on standard input: "off SECONDS" hears and says nothing for
that long, "mute SECONDS" sends no notification, "refuse SECONDS" refuses subscriptions, "restart"
forgets subscriptions, "set ai:1 23.5" sets a value, "subscriptions" says how many there are,
"requests" how many confirmed requests came, "writes" how many of them wrote.
"""
import argparse, asyncio, json, math, sys, time

import bacnet_loopback
import bacpypes3.ipv4 as ipv4
from bacpypes3.apdu import AbortReason, ComplexAckPDU, ReadRangeACK, UnconfirmedRequestPDU
from bacpypes3.app import Application
from bacpypes3.appservice import ServerSSM
from bacpypes3.basetypes import (BDTEntry, CalendarEntry, DailySchedule, DateRange, DateTime,
    DeviceObjectPropertyReference, IPMode, LogRecord, LogRecordLogDatum, ResultFlags, StatusFlags, TimeValue)
from bacpypes3.constructeddata import Any, ListOf
from bacpypes3.errors import ExecutionError
from bacpypes3.local.analog import AnalogInputObject, AnalogOutputObject, AnalogValueObjectCmd
from bacpypes3.local.binary import BinaryInputObject, BinaryOutputObject, BinaryValueObjectCmd
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.multistate import MultiStateInputObject, MultiStateOutputObject, MultiStateValueObject
from bacpypes3.local.networkport import NetworkPortObject
from bacpypes3.local.object import Object as LocalObject
from bacpypes3.local.schedule import ScheduleObject
from bacpypes3.object import CalendarObject as _Calendar, TrendLogObject as _TrendLog
from bacpypes3.pdu import IPv4Address
from bacpypes3.primitivedata import ObjectIdentifier, Real

STATE = dict(off=0.0, mute=0.0, refuse=0.0, requests=0, writes=0, claims=False)


bacnet_loopback.install(lambda: time.monotonic() >= STATE["off"])

_received = ipv4.IPv4DatagramProtocol.datagram_received


def _datagram_received(self, data, addr):
    if time.monotonic() >= STATE["off"]:
        _received(self, data, addr)


ipv4.IPv4DatagramProtocol.datagram_received = _datagram_received


_confirmation = ServerSSM.confirmation


# Says it can send parts, and gives up when it would have to.
async def _claims(self, apdu):
    if STATE["claims"] and apdu.apduType == ComplexAckPDU.pduType and len(apdu.pduData or b"") > 900:
        await self.response(self.abort(AbortReason.bufferOverflow))
        return
    await _confirmation(self, apdu)


ServerSSM.confirmation = _claims


class CalendarObject(LocalObject, _Calendar):
    notificationClass = None


class TrendLogObject(LocalObject, _TrendLog):
    pass


class Device(Application):
    manners = {}

    async def indication(self, apdu):
        if not isinstance(apdu, UnconfirmedRequestPDU):
            STATE["requests"] += 1
            STATE["writes"] += type(apdu).__name__.startswith("Write")
        await super().indication(apdu)

    async def do_WhoIsRequest(self, apdu):
        manners = self.manners
        manners["heard"] = manners.get("heard", 0) + 1
        if manners["heard"] <= manners.get("drop", 0):
            return
        await asyncio.sleep(manners.get("delay", 0))
        await super().do_WhoIsRequest(apdu)

    async def do_ReadPropertyRequest(self, apdu):
        self.refused_name(apdu.objectIdentifier, apdu.propertyIdentifier)
        await super().do_ReadPropertyRequest(apdu)

    async def do_ReadPropertyMultipleRequest(self, apdu):
        if self.manners.get("no_rpm"):
            raise ExecutionError(errorClass="services", errorCode="optionalFunctionalityNotSupported")
        await super().do_ReadPropertyMultipleRequest(apdu)

    def refused_name(self, obj, prop):
        if str(prop) == "object-name" and list(obj) in self.manners.get("nameless", []):
            raise ExecutionError(errorClass="property", errorCode="readAccessDenied")

    async def do_SubscribeCOVRequest(self, apdu):
        if time.monotonic() < STATE["refuse"]:
            raise ExecutionError(errorClass="resources", errorCode="noSpaceToAddListElement")
        await super().do_SubscribeCOVRequest(apdu)

    def request(self, apdu):
        if "COVNotification" in type(apdu).__name__ and time.monotonic() < STATE["mute"]:
            done = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        return super().request(apdu)

    async def do_ReadRangeRequest(self, apdu):  # bacpypes3 leaves this one out
        obj = self.get_object_id(apdu.objectIdentifier)
        if not obj:
            raise ExecutionError(errorClass="object", errorCode="unknownObject")
        records = list(await obj.read_property(apdu.propertyIdentifier) or [])
        r, n = apdu.range, len(records)
        lo, hi = 0, n

        def window(i, count):
            return (i, min(n, i + count)) if count > 0 else (max(0, i + count + 1), i + 1)

        if r is not None and r.byPosition:
            lo, hi = window(int(r.byPosition.referenceIndex) - 1, int(r.byPosition.count))
        elif r is not None and r.bySequenceNumber:
            lo, hi = window(int(r.bySequenceNumber.referenceSequenceNumber) - 1, int(r.bySequenceNumber.count))
        elif r is not None and r.byTime:
            def key(stamp):
                return tuple(stamp.date)[:3], tuple(stamp.time)
            ref, count = key(r.byTime.referenceTime), int(r.byTime.count)
            found = [i for i, x in enumerate(records)
                     if (key(x.timestamp) > ref if count > 0 else key(x.timestamp) < ref)]
            found = found[:count] if count > 0 else found[count:]
            lo, hi = (found[0], found[-1] + 1) if found else (0, 0)
        lo, hi = max(0, min(lo, n)), max(0, min(hi, n))
        part = records[lo:min(hi, lo + 20)]
        ack = ReadRangeACK(context=apdu)
        ack.objectIdentifier, ack.propertyIdentifier = apdu.objectIdentifier, apdu.propertyIdentifier
        ack.propertyArrayIndex = apdu.propertyArrayIndex
        ack.resultFlags = ResultFlags([int(bool(part) and lo == 0), int(bool(part) and lo + len(part) == n),
                                       int(hi - lo > len(part))])
        ack.itemCount = len(part)
        ack.itemData = Any(ListOf(LogRecord)(part))
        if r is not None and (r.bySequenceNumber or r.byTime) and part:
            ack.firstSequenceNumber = lo + 1
        await self.response(ack)


def base(addr, inst, **more):
    dev = DeviceObject(objectIdentifier=("device", inst), objectName=f"BP3-{inst}", vendorIdentifier=999,
        modelName="bp3-peer", applicationSoftwareVersion="1", firmwareRevision="0.0.110",
        description="bacpypes3 test peer", location="Keller", **more)
    port = NetworkPortObject(addr, objectIdentifier=("network-port", 1), objectName="NetworkPort-1")
    return dev, port


def full(addr, inst, bbmd):
    dev, port = base(addr, inst)
    if bbmd is not None:
        port.bacnetIPMode = IPMode.bbmd
        port.bbmdAcceptFDRegistrations = True
        port.bbmdForeignDeviceTable = []
        own = addr.split("/")[0] + ":" + str(IPv4Address(addr).addrPort)
        port.bbmdBroadcastDistributionTable = [BDTEntry(p) for p in [own] + bbmd]
    usual = dict(statusFlags=[0, 0, 0, 0], eventState="normal", outOfService=False)
    txt = ["Aus", "Stufe 1", "Stufe 2"]
    ai = AnalogInputObject(objectIdentifier="analog-input,1", objectName="ZuluftTemp", presentValue=21.5,
        units="degreesCelsius", covIncrement=0.5, description="Zulufttemperatur", **usual)
    day = DailySchedule(daySchedule=[TimeValue(time=(6, 0, 0, 0), value=Real(21.0)),
                                     TimeValue(time=(20, 0, 0, 0), value=Real(17.0))])

    day_before = time.localtime(time.time() - 86400)
    stamp = (day_before.tm_year - 1900, day_before.tm_mon, day_before.tm_mday, day_before.tm_wday + 1)

    def record(i):
        m = 15 * i
        return LogRecord(timestamp=DateTime(date=stamp, time=(m // 60, m % 60, 0, 0)),
            logDatum=LogRecordLogDatum(realValue=20.0 + math.sin(i / 7)), statusFlags=StatusFlags([0, 0, 0, 0]))

    objects = [
        dev, port, ai,
        AnalogOutputObject(objectIdentifier="analog-output,1", objectName="Ventil", presentValue=0.0,
            units="percent", covIncrement=1.0, relinquishDefault=0.0, **usual),
        AnalogValueObjectCmd(objectIdentifier="analog-value,1", objectName="Sollwert", presentValue=20.0,
            units="degreesCelsius", covIncrement=0.1, relinquishDefault=20.0, **usual),
        BinaryInputObject(objectIdentifier="binary-input,1", objectName="Stoermeldung", presentValue="inactive",
            inactiveText="ok", activeText="Alarm", polarity="normal", **usual),
        BinaryOutputObject(objectIdentifier="binary-output,1", objectName="Pumpe", presentValue="inactive",
            relinquishDefault="inactive", polarity="normal", **usual),
        BinaryValueObjectCmd(objectIdentifier="binary-value,1", objectName="Freigabe", presentValue="inactive",
            relinquishDefault="inactive", **usual),
        MultiStateInputObject(objectIdentifier="multi-state-input,1", objectName="Betriebsart", presentValue=1,
            numberOfStates=3, stateText=txt, **usual),
        MultiStateOutputObject(objectIdentifier="multi-state-output,1", objectName="Luefterstufe", presentValue=1,
            numberOfStates=3, stateText=txt, relinquishDefault=1, **usual),
        MultiStateValueObject(objectIdentifier="multi-state-value,1", objectName="Szene", presentValue=2,
            numberOfStates=3, stateText=txt, **usual),
        ScheduleObject(objectIdentifier="schedule,1", objectName="Wochenprogramm", presentValue=Real(17.0),
            scheduleDefault=Real(17.0), weeklySchedule=[day] * 7, exceptionSchedule=[],
            effectivePeriod=DateRange(startDate=(100, 1, 1, 6), endDate=(150, 12, 31, 6)), priorityForWriting=16,
            outOfService=False, reliability="noFaultDetected", statusFlags=[0, 0, 0, 0],
            listOfObjectPropertyReferences=[DeviceObjectPropertyReference(objectIdentifier=("analog-value", 1),
                propertyIdentifier="present-value")]),
        CalendarObject(objectIdentifier="calendar,1", objectName="Feiertage", presentValue=False,
            dateList=[CalendarEntry(date=(126, 12, 25, 255))]),
        TrendLogObject(objectIdentifier="trend-log,1", objectName="TrendZuluft", enable=True, logInterval=90000,
            loggingType="polled", bufferSize=96, stopWhenFull=False, recordCount=96, totalRecordCount=96,
            logBuffer=[record(i) for i in range(96)],
            logDeviceObjectProperty=DeviceObjectPropertyReference(objectIdentifier=("analog-input", 1),
                propertyIdentifier="present-value"), statusFlags=[0, 0, 0, 0], eventState="normal"),
    ]
    return Device.from_object_list(objects)


def many(addr, inst, count, segmentation, manners=None):
    more = {"segmentationSupported": "noSegmentation"} if segmentation == "none" else {}
    dev, port = base(addr, inst, **more)
    objects = [dev, port] + [AnalogInputObject(objectIdentifier=("analog-input", i + 1), objectName=f"Punkt {i + 1}",
        presentValue=float(i), units="degreesCelsius", covIncrement=0.1, statusFlags=[0, 0, 0, 0],
        eventState="normal", outOfService=False) for i in range(count - 2)]
    app = Device.from_object_list(objects)
    app.manners = dict(manners or {})
    STATE["claims"] = segmentation == "claims"
    return app


def crowd(path):
    apps = []
    for line in open(path):
        one = json.loads(line)
        app = many(one["address"], one["instance"], 2 + one.get("objects", 1), "both", one)
        apps.append(app)
    return apps


async def orders(apps):
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode():
        word, *rest = line.split()
        if word in ("off", "mute", "refuse"):
            STATE[word] = time.monotonic() + float(rest[0])
        elif word == "restart":
            for app in apps:
                for table in list(app._cov_detections.values()):
                    for subscription in list(table.cov_subscriptions):
                        app.cancel_subscription(subscription)
                app.i_am()
        elif word == "set":
            kind, number = rest[0].split(":")
            names = dict(ai="analog-input", av="analog-value", bi="binary-input", mi="multi-state-input")
            for app in apps:
                obj = app.get_object_id(ObjectIdentifier(f"{names[kind]},{number}"))
                if obj is None:
                    continue
                obj.presentValue = type(obj.presentValue)(float(rest[1]) if "." in rest[1] else int(rest[1]))
        elif word == "subscriptions":
            total = sum(len(d.cov_subscriptions) for app in apps for d in app._cov_detections.values())
            print("SUBSCRIPTIONS", total, flush=True)
        elif word in ("requests", "writes"):
            print(word.upper(), STATE[word], flush=True)


async def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("pairs", nargs="*")
    ap.add_argument("--bbmd")
    ap.add_argument("--many", type=int)
    ap.add_argument("--segmentation", default="both", choices=["both", "claims", "none"])
    ap.add_argument("--crowd")
    a = ap.parse_args()
    if a.crowd:
        apps = crowd(a.crowd)
    elif a.many:
        apps = [many(a.pairs[0], int(a.pairs[1]), a.many, a.segmentation)]
    else:
        peers = None if a.bbmd is None else [p for p in a.bbmd.split(",") if p]
        apps = [full(addr, int(inst), None if n else peers)
                for n, (addr, inst) in enumerate(zip(a.pairs[::2], a.pairs[1::2]))]
    await asyncio.sleep(0.3)
    print("READY", flush=True)
    await orders(apps)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
