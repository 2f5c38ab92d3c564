#!/usr/bin/env python3
"""BACnet/IP device on rusty-bacnet 0.14.0 with what is operated: a schedule, one that switches nothing
yet, one whose time is over, calendars, a notification class, and an analog input that watches its limits.
  bacnet_operate_rusty.py ADDR INSTANCE [--port 47808] [--lost]   one object's notification class is not there
Says READY, and takes lines on standard input: "set 40" sets the watched input."""
import argparse, asyncio, sys
import rusty_bacnet as rb
from rusty_bacnet import BACnetServer, ObjectIdentifier as OID, ObjectType as T, PropertyIdentifier as PI, PropertyValue as V


async def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("addr")
    ap.add_argument("inst", type=int)
    ap.add_argument("--port", type=int, default=47808)
    ap.add_argument("--lost", action="store_true")
    A = ap.parse_args()
    s = BACnetServer(A.inst, f"OR-{A.inst}", interface=A.addr, port=A.port, broadcast_address="127.255.255.255",
        share_port_by_address=True, time_sync_policy={"enabled": True}, segmentation_supported=rb.Segmentation.BOTH)
    s.add_analog_input(1, "Vorlauf", 62, 21.5)
    s.add_analog_value(1, "Sollwert", 62)
    s.add_notification_class(1, "Alarme", 1)
    s.add_calendar(1, "Feiertage", date_list=[{"kind": "date", "date": (2026, 12, 25, 255)}])
    day = [((0, 0, 0, 0), V.real(17.0)), ((6, 0, 0, 0), V.real(21.0)), ((20, 0, 0, 0), V.real(17.0))]
    s.add_schedule(1, "Wochenprogramm", weekly_schedule=[day] * 7)
    s.add_schedule(2, "Leer")
    # Its time is over and it has no default: it shows nothing, at any hour.
    s.add_schedule(3, "Altes Programm", weekly_schedule=[day] * 7, effective_period=((2020, 1, 1, 3), (2020, 12, 31, 4)))
    await s.start()
    ai = OID(T.ANALOG_INPUT, 1)

    for prop, value in [(PI.HIGH_LIMIT, V.real(30.0)), (PI.LOW_LIMIT, V.real(5.0)), (PI.DEADBAND, V.real(1.0)),
            (PI.TIME_DELAY, V.unsigned(0)), (PI.NOTIFICATION_CLASS, V.unsigned(1)),
            (PI.LIMIT_ENABLE, V.bit_string(6, bytes([0xC0]))), (PI.EVENT_ENABLE, V.bit_string(5, bytes([0xE0])))]:
        await s.write_property_local(ai, prop, value, source_object=None)
    # With an object whose class is not there it answers no question about events at all.
    if not A.lost:
        await s.write_property_local(OID(T.ANALOG_VALUE, 1), PI.NOTIFICATION_CLASS, V.unsigned(1), source_object=None)
    print("READY", flush=True)
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode():
        word, *rest = line.split()
        if word == "set":
            await s.set_present_value_local(ai, V.real(float(rest[0])))
    await asyncio.Event().wait()


asyncio.run(main())
