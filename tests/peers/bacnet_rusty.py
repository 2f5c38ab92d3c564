#!/usr/bin/env python3
"""BACnet/IP device on rusty-bacnet 0.14.0: trend log, schedule, calendar, file, optional BBMD.
  bacnet_rusty.py ADDR INSTANCE [--port 47808] [--broadcast 127.255.255.255] [--bbmd PEER:PORT,...] [--seg]"""
import argparse, asyncio, math, time
import rusty_bacnet as rb
from rusty_bacnet import BACnetServer, Bbmd, ForeignDevice, ObjectIdentifier as OID, ObjectType as T, PropertyIdentifier as PI, PropertyValue as V
async def main():
    ap = argparse.ArgumentParser(); ap.add_argument("addr"); ap.add_argument("inst", type=int); ap.add_argument("--port", type=int, default=47808)
    ap.add_argument("--broadcast", default="127.255.255.255"); ap.add_argument("--bbmd"); ap.add_argument("--foreign"); ap.add_argument("--seg", action="store_true"); ap.add_argument("--many", type=int, default=0); A = ap.parse_args()
    kw = {}
    if A.bbmd is not None: kw["bbmd"] = Bbmd([p for p in A.bbmd.split(",") if p], accept_foreign_devices=True, management_acl=["127.0.0.1"])
    if A.foreign: kw["foreign_device"] = ForeignDevice(A.foreign, ttl=60)
    if A.seg: kw["segmentation_supported"] = rb.Segmentation.BOTH
    s = BACnetServer(A.inst, f"RB-{A.inst}", interface=A.addr, port=A.port, broadcast_address=A.broadcast, share_port_by_address=True, dcc_policy="deny_all", **kw)
    s.add_analog_input(1, "ZuluftTemp", 62, 21.5); s.add_analog_output(1, "Ventil", 98); s.add_analog_value(1, "Sollwert", 62)
    s.add_binary_input(1, "Stoermeldung"); s.add_binary_output(1, "Pumpe"); s.add_binary_value(1, "Freigabe")
    s.add_multistate_input(1, "Betriebsart", 3); s.add_multistate_output(1, "Luefterstufe", 3); s.add_multistate_value(1, "Szene", 3)
    s.add_notification_class(1, "Alarme", 1); s.add_calendar(1, "Feiertage"); s.add_file(1, "Konfig"); s.set_file_data(1, b"peer file\n" * 40)
    s.add_trend_log(1, "TrendZuluft", 500, reference=(OID(T.ANALOG_INPUT, 1), PI.PRESENT_VALUE), log_interval=100, logging_type="polled")
    s.add_schedule(1, "Wochenprogramm", weekly_schedule=[[((6, 0, 0, 0), V.real(21.0)), ((20, 0, 0, 0), V.real(17.0))]] * 7)
    for i in range(A.many): s.add_analog_value(1000 + i, f"AV-{i:04d}", 62)
    await s.start(); print("READY", await s.local_address() if callable(getattr(s, "local_address", None)) else "", flush=True)
    t0 = time.time()
    while True:
        await asyncio.sleep(1)
        try: await s.set_present_value_local(OID(T.ANALOG_INPUT, 1), V.real(round(21.5 + 2 * math.sin((time.time() - t0) / 10), 2)))
        except Exception as e: print("ERR", e, flush=True)
asyncio.run(main())
