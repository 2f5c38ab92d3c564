#!/usr/bin/env python3
"""BACnet/IP device on bacpypes3 with what is operated: a schedule, an empty one, a calendar, a
notification class, an analog input that watches its limits, and a clock that can be set.

  bacnet_operate.py ADDR/PREFIX[:PORT] INSTANCE [--asks] [--deaf]

With --asks it says which events stand and takes acknowledgements, which bacpypes3 by itself does not;
with --deaf it takes no time.
Says READY, and takes lines on standard input: "set 40" sets the watched input, "stubborn" keeps the
week it has, whatever is written.
"""
import argparse, asyncio, datetime, sys

import bacnet_devices as base
from bacpypes3.apdu import GetEventInformationACK, GetEventInformationEventSummary, SimpleAckPDU
from bacpypes3.basetypes import (CalendarEntry, DailySchedule, DateRange, DeviceObjectPropertyReference,
    EventTransitionBits, LimitEnable, TimeStamp, TimeValue)
from bacpypes3.errors import ExecutionError
from bacpypes3.local.analog import AnalogInputObjectIR, AnalogValueObjectCmd
from bacpypes3.local.device import DeviceObject
from bacpypes3.local.object import Object as LocalObject
from bacpypes3.local.schedule import ScheduleObject
from bacpypes3.local.networkport import NetworkPortObject
from bacpypes3.object import NotificationClassObject as _NotificationClass
from bacpypes3.primitivedata import Date, Real, Time

# An hour and some slow, until somebody sets it.
STATE = dict(off=datetime.timedelta(seconds=-4000), deaf=False, stubborn=False)


def now():
    return datetime.datetime.now() + STATE["off"]


class Clocked(DeviceObject):
    @property
    def localDate(self):
        at = now()
        return Date((at.year - 1900, at.month, at.day, at.isoweekday()))

    @localDate.setter
    def localDate(self, value):
        pass

    @property
    def localTime(self):
        at = now()
        return Time((at.hour, at.minute, at.second, at.microsecond // 10000))

    @localTime.setter
    def localTime(self, value):
        pass


class Classes(LocalObject, _NotificationClass):
    pass


class Operated(base.Device):
    def take(self, apdu):
        if STATE["deaf"]:
            return
        (year, month, day, _), (hour, minute, second, hundredth) = apdu.time.date, apdu.time.time
        told = datetime.datetime(year + 1900, month, day, hour, minute, second, hundredth * 10000)
        STATE["off"] = told - datetime.datetime.now()
        print("TOLD", type(apdu).__name__, told.isoformat(), flush=True)

    async def do_TimeSynchronizationRequest(self, apdu):
        self.take(apdu)

    async def do_UTCTimeSynchronizationRequest(self, apdu):
        self.take(apdu)

    async def do_WritePropertyRequest(self, apdu):
        if STATE["stubborn"] and str(apdu.propertyIdentifier) == "weekly-schedule":
            await self.response(SimpleAckPDU(context=apdu))
            return
        await super().do_WritePropertyRequest(apdu)


class Asked(Operated):
    def watched(self):
        return self.get_object_name("Vorlauf")

    async def do_GetEventInformationRequest(self, apdu):
        obj, rows = self.watched(), []
        if str(obj.eventState) != "normal" or list(obj.ackedTransitions) != [1, 1, 1]:
            rows.append(GetEventInformationEventSummary(objectIdentifier=obj.objectIdentifier,
                eventState=obj.eventState, acknowledgedTransitions=obj.ackedTransitions,
                eventTimeStamps=list(obj.eventTimeStamps), notifyType=obj.notifyType, eventEnable=obj.eventEnable,
                eventPriorities=[10, 20, 30]))
        ack = GetEventInformationACK(context=apdu)
        ack.listOfEventSummaries, ack.moreEvents = rows, False
        await self.response(ack)

    async def do_AcknowledgeAlarmRequest(self, apdu):
        obj, state = self.watched(), str(apdu.eventStateAcknowledged)
        at = dict(normal=2, fault=1).get(state, 0)
        if apdu.timeStamp.time != obj.eventTimeStamps[at].time:
            raise ExecutionError(errorClass="services", errorCode="invalidTimeStamp")
        if at == 0 and state != "high-limit":
            raise ExecutionError(errorClass="services", errorCode="invalidEventState")
        bits = list(obj.ackedTransitions)
        bits[at] = 1
        obj.ackedTransitions = EventTransitionBits(bits)
        print("ACKNOWLEDGED", state, apdu.acknowledgmentSource, flush=True)
        await self.response(SimpleAckPDU(context=apdu))


def device(addr, inst, kind):
    dev = Clocked(objectIdentifier=("device", inst), objectName=f"OP-{inst}", vendorIdentifier=999,
        modelName="bp3-peer", applicationSoftwareVersion="1", firmwareRevision="0.0.110", description="operated",
        location="Keller")
    port = NetworkPortObject(addr, objectIdentifier=("network-port", 1), objectName="NetworkPort-1")
    usual = dict(statusFlags=[0, 0, 0, 0], eventState="normal", outOfService=False)
    day = DailySchedule(daySchedule=[TimeValue(time=(0, 0, 0, 0), value=Real(17.0)),
                                     TimeValue(time=(6, 0, 0, 0), value=Real(21.0)),
                                     TimeValue(time=(20, 0, 0, 0), value=Real(17.0))])
    target = DeviceObjectPropertyReference(objectIdentifier=("analog-value", 1), propertyIdentifier="present-value")
    more = dict(priorityForWriting=16, outOfService=False, reliability="noFaultDetected", statusFlags=[0, 0, 0, 0],
        effectivePeriod=DateRange(startDate=(100, 1, 1, 6), endDate=(150, 12, 31, 6)))
    objects = [
        dev, port,
        AnalogValueObjectCmd(objectIdentifier="analog-value,1", objectName="Sollwert", presentValue=20.0,
            units="degreesCelsius", covIncrement=0.1, relinquishDefault=20.0, **usual),
        ScheduleObject(objectIdentifier="schedule,1", objectName="Wochenprogramm", presentValue=Real(17.0),
            scheduleDefault=Real(17.0), weeklySchedule=[day] * 7, exceptionSchedule=[],
            listOfObjectPropertyReferences=[target], **more),
        base.CalendarObject(objectIdentifier="calendar,1", objectName="Feiertage", presentValue=False,
            dateList=[CalendarEntry(date=(126, 12, 25, 255))]),
        Classes(objectIdentifier="notification-class,1", objectName="Alarme", notificationClass=1,
            priority=[10, 20, 30], ackRequired=EventTransitionBits([1, 1, 1]), recipientList=[]),
        AnalogInputObjectIR(objectIdentifier="analog-input,1", objectName="Vorlauf", presentValue=21.5,
            units="degreesCelsius", covIncrement=0.5, timeDelay=0, notificationClass=1, highLimit=30.0, lowLimit=5.0,
            deadband=1.0, limitEnable=LimitEnable([1, 1]), eventEnable=EventTransitionBits([1, 1, 1]),
            ackedTransitions=EventTransitionBits([1, 1, 1]), notifyType="alarm",
            eventTimeStamps=[TimeStamp(time=(0, 0, 0, 0))] * 3, eventDetectionEnable=True, **usual),
    ]
    return kind.from_object_list(objects)


async def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("addr")
    ap.add_argument("inst", type=int)
    ap.add_argument("--asks", action="store_true")
    ap.add_argument("--deaf", action="store_true")
    a = ap.parse_args()
    STATE["deaf"] = a.deaf
    app = device(a.addr, a.inst, Asked if a.asks else Operated)
    await asyncio.sleep(0.3)
    print("READY", flush=True)
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode():
        word, *rest = line.split()
        if word == "set":
            obj, value = app.get_object_name("Vorlauf"), float(rest[0])
            bits = list(obj.ackedTransitions)
            bits[0 if value > 30 else 2] = 0
            obj.ackedTransitions = EventTransitionBits(bits)
            obj.presentValue = Real(value)
        else:
            STATE[word] = True
    await asyncio.Event().wait()


asyncio.run(main())
