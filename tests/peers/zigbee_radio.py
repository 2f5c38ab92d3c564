#!/usr/bin/env python3
"""A pretend ConBee II stick on TCP with seven pretend Zigbee devices behind it, for a real zigbee2mqtt.

  zigbee_radio.py --port 6638 --control 6639 [--joined]
  zigbee2mqtt:  serial: {port: tcp://127.0.0.1:6638, adapter: deconz}

It speaks the serial protocol of deCONZ sticks (SLIP frames, additive checksum) and below it ZDO and ZCL, so that
zigbee2mqtt joins, interviews, configures, binds and commands the devices with its own converters. With --joined they are in
the network from the start, as a saved data folder of zigbee2mqtt expects.

Control port: one JSON object a line, one JSON line back.
  {"do":"list"}                                     who there is, joined or not, bindings, reporting
  {"do":"join","dev":"weather"}                     {"do":"leave","dev":"weather"}
  {"do":"report","dev":"weather","attrs":[[endpoint,cluster,attribute,type,value],...]}
  {"do":"power","dev":"bulb","attrs":[...]}         power was away: these attributes are as after a cold start, and it announces itself
  {"do":"zone","dev":"door","status":1}             IAS zone status
  {"do":"tuya","dev":"valve","dp":[id,type,value]}  a Tuya data point
  {"do":"silent","dev":"bulb","on":true}            it answers nothing
  {"do":"lqi","dev":"bulb","lqi":40}                link quality
  {"do":"get","dev":"plug","attr":[endpoint,cluster,attribute]}   what the device itself holds
  {"do":"firmware","dev":"bulb"}                    what it asks for over the air, and what it has got: type, version, octets
  {"do":"hang","on":true}                           the stick answers nothing
  {"do":"drop"}                                     the stick closes the connection
"""
import argparse, asyncio, json, struct, sys, time

END, ESC, ESC_END, ESC_ESC = 0xC0, 0xDB, 0xDC, 0xDD
def slip(b):
    out = bytearray([END])
    for x in b:
        out += bytes([ESC, ESC_END]) if x == END else bytes([ESC, ESC_ESC]) if x == ESC else bytes([x])
    return bytes(out) + bytes([END])
def crc(b): return struct.pack("<H", (-sum(b)) & 0xFFFF)

# ---- ZCL values -------------------------------------------------------------------------------------------------------
FIX = {0x10: "B", 0x18: "B", 0x19: "H", 0x1B: "I", 0x20: "B", 0x21: "H", 0x23: "I", 0x28: "b", 0x29: "h", 0x2B: "i", 0x30: "B",
       0x31: "H", 0x39: "f", 0xF0: "Q", 0xE2: "I", 0x27: "Q", 0x2F: "q"}
ODD = {0x22: 3, 0x25: 6, 0x24: 5, 0x26: 7}
def enc(t, v):
    if t in FIX: return struct.pack("<" + FIX[t], int(v) if t != 0x39 else v)
    if t in ODD: return int(v).to_bytes(ODD[t], "little")
    if t in (0x41, 0x42):
        raw = bytes.fromhex(v[4:]) if isinstance(v, str) and v.startswith("hex:") else v.encode() if isinstance(v, str) else bytes(v)
        return bytes([len(raw)]) + raw
    if t == 0x48:                               # array: (element type, [values])
        et, vs = v; return bytes([et]) + struct.pack("<H", len(vs)) + b"".join(enc(et, x) for x in vs)
    raise ValueError(hex(t))
def dec(t, b):
    if t in FIX: n = struct.calcsize("<" + FIX[t]); return struct.unpack("<" + FIX[t], b[:n])[0], n
    if t in ODD: return int.from_bytes(b[:ODD[t]], "little"), ODD[t]
    if t in (0x41, 0x42): return b[1:1 + b[0]], 1 + b[0]
    raise ValueError(hex(t))

# ---- pretend devices --------------------------------------------------------------------------------------------------
B, S = 0, "s"
def basic(man, model, power, ver=1, date="20240101", sw="1.0.0"):
    return {(0, 0): (0x20, 3), (0, 1): (0x20, ver), (0, 2): (0x20, 1), (0, 3): (0x20, 1), (0, 4): (0x42, man), (0, 5): (0x42, model),
            (0, 6): (0x42, date), (0, 7): (0x30, power), (0, 0x4000): (0x42, sw), (0, 0xFFFE): (0x30, 0)}
class Dev:
    def __init__(s, name, nwk, ieee, man_code, router, eps):
        s.name, s.nwk, s.ieee, s.man, s.router, s.lqi, s.silent, s.seq = name, nwk, ieee, man_code, router, 168, False, 0
        s.eps = {e: dict(profile=p, dev=d, inp=i, out=o) for e, p, d, i, o, a in eps}
        s.attr = {e: dict(a) for e, p, d, i, o, a in eps}; s.joined = False; s.groups = set(); s.binds = []; s.reporting = []; s.seen = []
        s.scenes = {}; s.image = dict(type=0x2201, version=0x10000000, octets=0)
    def tsn(s): s.seq = (s.seq + 1) & 0xFF; return s.seq
BATT = {(1, 0x20): (0x20, 30), (1, 0x21): (0x20, 200)}
def zone(kind): return {(0x500, 0): (0x30, 0), (0x500, 1): (0x31, kind), (0x500, 2): (0x19, 0), (0x500, 0x10): (0xF0, 0), (0x500, 0x11): (0x20, 0xFF)}
def devices():
    return [
        Dev("weather", 0x1001, 0x00158D0001A2B3C4, 0x1037, False, [(1, 0x104, 0x5F01, [0, 3, 0xFFFF, 0x402, 0x403, 0x405], [0, 4, 0xFFFF],
            {**basic("LUMI", "lumi.weather", 3, 3, "20161129"), (0x402, 0): (0x29, 2153), (0x405, 0): (0x21, 4821), (0x403, 0): (0x29, 1013), (0x403, 0x10): (0x29, 10132), (0x403, 0x14): (0x28, -1)})]),
        Dev("bulb", 0x2002, 0x000B57FFFE112233, 0x117C, True, [(1, 0x104, 0x0220, [0, 3, 4, 5, 6, 8, 0x300, 0xB05, 0x1000], [5, 0x19, 0x20, 0x1000],
            {**basic("IKEA of Sweden", "TRADFRI bulb E27 WS opal 980lm", 1, 1, "20200312", "2.3.093"), (6, 0): (0x10, 0), (6, 0x4003): (0x30, 0xFF), (8, 0): (0x20, 254), (8, 0x0F): (0x18, 0), (8, 0x4000): (0x20, 255),
             (8, 0x11): (0x20, 254), (0x300, 7): (0x21, 370), (0x300, 8): (0x30, 2), (0x300, 0x0F): (0x18, 0), (0x300, 0x400A): (0x19, 0x10), (0x300, 0x400B): (0x21, 250), (0x300, 0x400C): (0x21, 454),
             (0x300, 0x4010): (0x21, 370), (0x300, 3): (0x21, 30138), (0x300, 4): (0x21, 26909)})]),
        Dev("plug", 0x3003, 0xA4C1380102030405, 0x1141, True, [(1, 0x104, 0x010A, [0, 3, 4, 5, 6, 0x702, 0xB04, 0xE000, 0xE001], [0x0A, 0x19],
            {**basic("_TZ3000_cehuw1lw", "TS011F", 1, 0x4D, "", ""), (6, 0): (0x10, 1), (6, 0x4001): (0x21, 0), (6, 0x4002): (0x21, 0), (6, 0x8000): (0x10, 0), (6, 0x8001): (0x30, 1), (6, 0x8002): (0x30, 2),
             (0xE001, 0xD030): (0x30, 0), (0x702, 0): (0x25, 1234), (0x702, 0x301): (0x22, 1), (0x702, 0x302): (0x22, 100), (0xB04, 0x505): (0x21, 231), (0xB04, 0x508): (0x21, 415), (0xB04, 0x50B): (0x29, 96),
             (0xB04, 0x600): (0x21, 1), (0xB04, 0x601): (0x21, 1), (0xB04, 0x602): (0x21, 1), (0xB04, 0x603): (0x21, 1000), (0xB04, 0x604): (0x21, 1), (0xB04, 0x605): (0x21, 1)}),
            (242, 0xA1E0, 0x61, [], [0x21], {})]),
        Dev("door", 0x4004, 0x00124B0022AABBCC, 0x1286, False, [(1, 0x104, 0x0402, [0, 1, 3, 0x20, 0x500], [0x19],
            {**basic("eWeLink", "DS01", 3, 4, "20211103"), **BATT, **zone(0x15), (0x20, 0): (0x23, 3600)})]),
        Dev("motion", 0x5005, 0x00158D0004D5E6F7, 0x115F, False, [(1, 0x104, 0x0107, [0, 0xFFFF, 0x406, 0x400, 0x500, 1, 3], [0, 0x19],
            {**basic("LUMI", "lumi.sensor_motion.aq2", 3, 5, "20170627"), (0x406, 0): (0x18, 0), (0x400, 0): (0x21, 12), **zone(0x0D)})]),
        Dev("trv", 0x6006, 0x048727FFFE778899, 0x1286, False, [(1, 0x104, 0x0301, [0, 1, 3, 6, 0x20, 0x201, 0xFC11, 0xFC57], [0x0A, 0x19],
            {**basic("SONOFF", "TRVZB", 3, 1, "20230522", "1.1.2"), **BATT, (0x201, 0): (0x29, 2050), (0x201, 3): (0x29, 400), (0x201, 4): (0x29, 3500), (0x201, 0x10): (0x28, 0), (0x201, 0x12): (0x29, 2100), (0x201, 0x15): (0x29, 400),
             (0x201, 0x16): (0x29, 3500), (0x201, 0x1B): (0x30, 2), (0x201, 0x1C): (0x30, 4), (0x201, 0x20): (0x30, 1), (0x201, 0x21): (0x20, 7), (0x201, 0x22): (0x20, 10), (0x201, 0x25): (0x18, 0), (0x201, 0x29): (0x19, 0),
             (0xFC11, 0x0000): (0x10, 0), (0xFC11, 0x6000): (0x10, 0), (0xFC11, 0x6002): (0x29, 700), (0xFC11, 0x6003): (0x21, 1), (0xFC11, 0x6004): (0x21, 1), (0xFC11, 0x6005): (0x21, 3130), (0xFC11, 0x6006): (0x21, 3120),
             (0xFC11, 0x6007): (0x21, 3100), (0xFC11, 0x6008): (0x20, 0), (0xFC11, 0x6009): (0x20, 0), (0xFC11, 0x600A): (0x20, 0), (0xFC11, 0x600B): (0x20, 100), (0xFC11, 0x600C): (0x20, 0), (0xFC11, 0x600D): (0x29, 2000),
             (0xFC11, 0x600E): (0x20, 0), (0xFC11, 0x6011): (0x29, -100), (0xFC11, 0x6014): (0x20, 0)})]),
        Dev("valve", 0x7007, 0xA4C138AABBCCDD01, 0x1002, False, [(1, 0x104, 0x0051, [0, 4, 5, 0xEF00], [0x0A, 0x19],
            {**basic("_TZE200_ckud7u2l", "TS0601", 3, 0x46, "", "")})]),
    ]

# ---- the stick --------------------------------------------------------------------------------------------------------
CONNECTED, CONFIRM, INDICATION, SLOTS = 2, 4, 8, 0x20
class Stick:
    MAC = 0x00212EFFFF0A0B0C
    def __init__(s):
        s.devs = {d.name: d for d in devices()}; s.nwk = {d.nwk: d for d in s.devs.values()}; s.net = CONNECTED
        s.p = {1: struct.pack("<Q", s.MAC), 5: struct.pack("<H", 0x1A62), 7: b"\0\0", 8: b"\xdd" * 8, 9: b"\1", 0x0A: struct.pack("<I", 1 << 11), 0x0B: b"\xdd" * 8,
               0x0E: struct.pack("<Q", s.MAC), 0x1C: bytes([11]), 0x21: b"\0", 0x22: struct.pack("<H", 0x010B), 0x24: b"\0", 0x26: struct.pack("<I", 600), 0x27: struct.pack("<I", 1000)}
        s.key = bytes(16); s.ep = {}; s.confirms = []; s.inds = []; s.w = None; s.hang = False; s.seq = 0; s.log = False
    def state(s): return s.net | (CONFIRM if s.confirms else 0) | (INDICATION if s.inds else 0) | SLOTS
    def send(s, cmd, seq, status, body, plen=True):
        if not s.w or s.hang: return
        n = 5 + (2 if plen else 0) + len(body)
        f = struct.pack("<BBBH", cmd, seq, status, n) + (struct.pack("<H", len(body)) if plen else b"") + body
        s.w.write(slip(f + crc(f)))
    def poke(s):                                                     # unasked state change, so that the host fetches at once
        s.seq = (s.seq + 1) & 0xFF; s.send(0x0E, s.seq, 0, bytes([s.state(), 0]), plen=False)
    def frame(s, f):
        cmd, seq = f[0], f[1]; body = f[5:]
        if cmd == 0x0D: s.send(0x0D, seq, 0, struct.pack("<I", 0x26780700), plen=False)
        elif cmd == 0x07: s.send(0x07, seq, 0, bytes([s.state(), 0, 0]), plen=False)
        elif cmd == 0x08: s.net = body[0]; s.p[0x1C] = s.p[0x1C]; s.send(0x08, seq, 0, bytes([body[0]]), plen=False)
        elif cmd == 0x0A:
            pid, arg = body[2], body[3:]
            v = bytes([0]) + s.key if pid == 0x18 else s.ep.get(arg[0] if arg else 0) if pid == 0x13 else s.p.get(pid)
            s.send(0x0A, seq, 0 if v is not None else 4, bytes([pid]) + (v or b""))
        elif cmd == 0x0B:
            pid, v = body[2], body[3:]
            if pid == 0x18: s.key = v[1:17]
            elif pid == 0x13: s.ep[v[0]] = v
            else: s.p[pid] = v
            if pid == 0x0A: s.p[0x1C] = bytes([struct.unpack("<I", v[:4])[0].bit_length() - 1])
            s.send(0x0B, seq, 0, bytes([pid]))
        elif cmd == 0x12: s.aps_request(seq, body[2:])
        elif cmd == 0x04:
            if not s.confirms: s.send(0x04, seq, 1, b""); return
            rid, mode, dst, dep, sep, st = s.confirms.pop(0)
            s.send(0x04, seq, 0, bytes([s.state(), rid, mode]) + dst + dep + bytes([sep, st, 0, 0, 0, 0]))
        elif cmd == 0x17:
            if not s.inds: s.send(0x17, seq, 1, b""); return
            ind = s.inds.pop(0); s.send(0x17, seq, 0, bytes([s.state()]) + ind)
        else: s.send(cmd, seq, 4, b"")
    def aps_request(s, seq, b):
        rid, _fl, mode = b[0], b[1], b[2]; o = 3
        dst = b[o:o + (8 if mode == 3 else 2)]; o += len(dst)
        dep = b"" if mode == 1 else b[o:o + 1]; o += len(dep)
        prof, clu, sep, n = struct.unpack_from("<HHBH", b, o); o += 7; asdu = b[o:o + n]
        s.send(0x12, seq, 0, bytes([s.state(), rid]))
        addr = struct.unpack("<H", dst)[0] if len(dst) == 2 else None
        if mode == 3: addr = next((d.nwk for d in s.nwk.values() if d.ieee == struct.unpack("<Q", dst)[0]), 0xFFFE)
        bcast = mode == 1 or (addr is not None and addr >= 0xFFF8)
        d = s.nwk.get(addr); ok = bcast or addr == 0 or (d and d.joined and not d.silent)
        s.confirms.append((rid, mode, dst, dep, sep, 0 if ok else 0xE9 if d and d.silent else 0xD0))
        loop = asyncio.get_running_loop()
        if ok: loop.call_later(0.005, s.deliver, addr, bcast, mode, dep[0] if dep else 0xFF, prof, clu, sep, asdu)
        s.poke()
    def indicate(s, src, sep, dep, prof, clu, asdu, lqi, dst=0, mode=2):
        s.inds.append(bytes([mode]) + struct.pack("<HB", dst, dep) + bytes([2]) + struct.pack("<HBHHH", src, sep, prof, clu, len(asdu)) + asdu + bytes([0, 0, lqi, 0xC5, 0, 0, 0, 0xC5]))
        s.poke()
    # -- ZDO and ZCL of the pretend devices
    def deliver(s, addr, bcast, mode, dep, prof, clu, sep, asdu):
        if prof == 0: return s.zdo(addr, bcast, clu, asdu)
        # Mode 1 is a group address: only its members hear it.
        targets = [d for d in s.devs.values() if d.joined and not d.silent and (addr in d.groups if mode == 1 else bcast or d.nwk == addr)]
        for d in targets: s.zcl(d, dep if dep in d.attr else 1, sep, prof, clu, asdu, bcast)
    def zrsp(s, src, clu, body, lqi=200, seq=0): s.indicate(src, 0, 0, 0, clu | 0x8000, bytes([seq]) + body, lqi)
    def zdo(s, addr, bcast, clu, a):
        q, b = a[0], a[1:]
        if clu == 0x0036: return                                      # permit joining, broadcast
        if addr == 0 and not bcast:                                   # the stick itself
            if clu == 0x0005: return s.zrsp(0, clu, bytes([0, 0, 0, 2, 1, 242]), seq=q)
            if clu == 0x0004:
                e = b[2]; desc = struct.pack("<BHHB", e, 0x104 if e == 1 else 0xA1E0, 5 if e == 1 else 0x64, 1) + (bytes([5]) + struct.pack("<5H", 0, 6, 10, 0x19, 0x501) + bytes([4]) + struct.pack("<4H", 1, 0x20, 0x500, 0x502) if e == 1 else bytes([0, 1]) + struct.pack("<H", 0x21))
                return s.zrsp(0, clu, struct.pack("<BHB", 0, 0, len(desc)) + desc, seq=q)
            if clu == 0x0002: return s.zrsp(0, clu, struct.pack("<BH", 0, 0) + struct.pack("<BBBHBHHHB", 0, 0x40, 0x8E, 0x1135, 80, 160, 0x2C41, 160, 0), seq=q)
            if clu == 0x0031:
                k = [d for d in s.devs.values() if d.joined]; st = b[0]; part = k[st:st + 2]
                return s.zrsp(0, clu, bytes([0, len(k), st, len(part)]) + b"".join(b"\xdd" * 8 + struct.pack("<QHBBBB", d.ieee, d.nwk, (1 if d.router else 2) | ((1 if d.router else 0) << 2) | (1 << 4), 2, 1, d.lqi) for d in part), seq=q)
            if clu == 0x0032: return s.zrsp(0, clu, bytes([0, 0, 0, 0]), seq=q)
            if clu == 0x0021 or clu == 0x0022: return s.zrsp(0, clu, b"\0", seq=q)
            return
        if clu in (0x0000, 0x0001):
            for d in s.devs.values():
                if d.joined and not d.silent and (clu == 0 and struct.unpack_from("<Q", b)[0] == d.ieee or clu == 1 and d.nwk == addr):
                    s.zrsp(d.nwk, clu, struct.pack("<BQH", 0, d.ieee, d.nwk), d.lqi, q)
            return
        d = s.nwk.get(addr)
        if not d or bcast: return
        if clu == 0x0002: s.zrsp(d.nwk, clu, struct.pack("<BH", 0, d.nwk) + struct.pack("<BBBHBHHHB", 1 if d.router else 2, 0x40, 0x8E if d.router else 0x80, d.man, 82, 82, 0, 82, 0), d.lqi, q)
        elif clu == 0x0005: s.zrsp(d.nwk, clu, struct.pack("<BHB", 0, d.nwk, len(d.eps)) + bytes(d.eps), d.lqi, q)
        elif clu == 0x0004:
            e = d.eps.get(b[2])
            if not e: return s.zrsp(d.nwk, clu, struct.pack("<BHB", 0x82, d.nwk, 0), d.lqi, q)
            desc = struct.pack("<BHHB", b[2], e["profile"], e["dev"], 1) + bytes([len(e["inp"])]) + struct.pack("<%dH" % len(e["inp"]), *e["inp"]) + bytes([len(e["out"])]) + struct.pack("<%dH" % len(e["out"]), *e["out"])
            s.zrsp(d.nwk, clu, struct.pack("<BHB", 0, d.nwk, len(desc)) + desc, d.lqi, q)
        elif clu in (0x0021, 0x0022): d.binds.append(b.hex()); s.zrsp(d.nwk, clu, b"\0", d.lqi, q)
        elif clu == 0x0031: s.zrsp(d.nwk, clu, bytes([0, 1, 0, 1]) + b"\xdd" * 8 + struct.pack("<QHBBBB", s.MAC, 0, 0 | 1 << 2, 2, 0, d.lqi) if d.router else b"\x84", d.lqi, q)
        elif clu == 0x0032: s.zrsp(d.nwk, clu, bytes([0, 0, 0, 0]), d.lqi, q)
        elif clu == 0x0034: s.zrsp(d.nwk, clu, b"\0", d.lqi, q); d.joined = False; s.indicate(d.nwk, 0, 0, 0, 0x8034, bytes([q, 0]), d.lqi)
        else: s.zrsp(d.nwk, clu, b"\x84", d.lqi, q)
    def zcl(s, d, ep, sep, prof, clu, a, bcast):
        fc = a[0]; o = 1; man = b""
        if fc & 4: man = a[1:3]; o = 3
        seq, cmd = a[o], a[o + 1]; b = a[o + 2:]; at = d.attr[ep]
        d.seen.append([time.time(), ep, clu, "cluster" if fc & 3 else "all", cmd, b.hex()])
        def rsp(c, body, specific=False):
            s.indicate(d.nwk, ep, sep, prof, clu, bytes([(1 if specific else 0) | (4 if man else 0) | 0x18]) + man + bytes([seq, c]) + body, d.lqi)
        if bcast and fc & 3 == 0: return
        if fc & 3 == 0:
            if cmd == 0x00:
                out = b""
                for i in range(0, len(b) - 1, 2):
                    aid = struct.unpack_from("<H", b, i)[0]; v = at.get((clu, aid))
                    out += struct.pack("<HB", aid, 0x86) if v is None else struct.pack("<HBB", aid, 0, v[0]) + enc(*v)
                rsp(0x01, out)
            elif cmd in (0x02, 0x03, 0x05):
                i = 0
                while i + 3 <= len(b):
                    aid, t = struct.unpack_from("<HB", b, i)
                    try: v, n = dec(t, b[i + 3:])
                    except ValueError: break
                    i += 3 + n; at[(clu, aid)] = (t, v if not isinstance(v, bytes) else v)
                    if clu == 0x500 and aid == 0x10: s.enroll(d, ep, sep)
                if cmd != 0x05: rsp(0x04, b"\0")
            elif cmd == 0x06: d.reporting.append([ep, clu, b.hex()]); rsp(0x07, b"\0")
            elif cmd == 0x08: rsp(0x09, b"\x8b" + b)
            elif cmd == 0x0C: rsp(0x0D, b"\1")
            elif cmd == 0x0B: pass
            else: rsp(0x0B, bytes([cmd, 0x82]))
            return
        new = []
        if clu == 6 and cmd in (0, 1, 2, 0x40, 0x42):
            v = 1 if cmd in (1, 0x42) else 0 if cmd in (0, 0x40) else 1 - at.get((6, 0), (0, 0))[1]; new.append((6, 0, 0x10, v))
        elif clu == 4 and cmd in (0, 3):                               # groups: add, remove
            (d.groups.add if cmd == 0 else d.groups.discard)(struct.unpack_from("<H", b)[0])
            return rsp(cmd, b"\0" + b[:2], True)
        elif clu == 5 and 5 not in d.eps[ep]["inp"]: return None if bcast else rsp(0x0B, bytes([cmd, 0xC3]))
        elif clu == 5 and cmd in (0, 2, 4): return s.scene(d, at, cmd, b, None if bcast else rsp)
        elif clu == 5 and cmd == 5: new += d.scenes.get(struct.unpack_from("<HB", b), [])
        elif clu == 0x19: return s.ota(d, ep, cmd, b)
        elif clu == 8 and cmd in (0, 4):
            new.append((8, 0, 0x20, b[0]))
            if cmd == 4: new.append((6, 0, 0x10, 1 if b[0] else 0))
        elif clu == 0x300 and cmd == 0x0A: new += [(0x300, 7, 0x21, struct.unpack_from("<H", b)[0]), (0x300, 8, 0x30, 2)]
        elif clu == 0x500 and cmd == 0: at[(0x500, 0)] = (0x30, 1); at[(0x500, 0x11)] = (0x20, b[1] if len(b) > 1 else 0)
        elif clu == 0xEF00 and cmd in (0, 4):                          # Tuya data points: say back what was set
            s.indicate(d.nwk, ep, sep, prof, clu, bytes([0x09 | 0x10, d.tsn(), 0x02]) + b, d.lqi)
        elif clu == 0xEF00 and cmd == 3: pass
        for c, aid, t, v in new: at[(c, aid)] = (t, v)
        if not fc & 0x10 and not bcast: rsp(0x0B, bytes([cmd, 0]))
        for c, aid, t, v in new: s.report(d, [[ep, c, aid, t, v]])
    def scene(s, d, at, cmd, b, rsp):                                # add, remove, store; recalled above
        which, status = struct.unpack_from("<HB", b), 0
        if cmd == 4: d.scenes[which] = [(c, a, *at[(c, a)]) for c, a in ((6, 0), (8, 0), (0x300, 7)) if (c, a) in at]
        elif cmd == 2: status = 0 if d.scenes.pop(which, None) is not None else 0x8B
        else:
            i, found = 6 + b[5], []                                  # behind the transition time and the name
            while i + 3 <= len(b):
                c, n = struct.unpack_from("<HB", b, i); v = b[i + 3]; i += 3 + n
                if c in (6, 8): found.append((c, 0, 0x10 if c == 6 else 0x20, v))
            d.scenes[which] = found
        if rsp: rsp(cmd, bytes([status]) + b[:3], True)
    # -- firmware over the air: the device asks block by block, starts anew with it and announces itself
    def ota(s, d, ep, cmd, b):
        me = struct.pack("<HHI", d.man, d.image["type"], d.image["version"])
        def ask(c, body): s.indicate(d.nwk, ep, 1, 0x104, 0x19, bytes([0x11, d.tsn(), c]) + body, d.lqi)
        def block(offset): ask(3, b"\0" + struct.pack("<HHIIB", d.man, d.image["type"], d.image["next"], offset, 48))
        if cmd == 0: ask(1, b"\0" + me)
        elif cmd == 2 and b[0] == 0:
            d.image["next"], d.image["size"], d.image["octets"] = *struct.unpack_from("<II", b, 5), 0
            block(0)
        elif cmd == 5 and b[0] == 0:
            d.image["octets"] = struct.unpack_from("<I", b, 9)[0] + b[13]
            if d.image["octets"] < d.image["size"]: block(d.image["octets"])
            else: ask(6, b"\0" + struct.pack("<HHI", d.man, d.image["type"], d.image["next"]))
        elif cmd == 7:
            d.image["version"] = d.image["next"]; asyncio.get_running_loop().call_later(0.5, s.join, d)
    def enroll(s, d, ep, sep): s.indicate(d.nwk, ep, sep, 0x104, 0x500, bytes([0x19, d.tsn(), 0x01]) + struct.pack("<HH", d.attr[ep][(0x500, 1)][1], d.man), d.lqi)
    def report(s, d, attrs):
        groups = {}
        for ep, c, aid, t, v in attrs: d.attr[ep][(c, aid)] = (t, v); groups.setdefault((ep, c), []).append(struct.pack("<HB", aid, t) + enc(t, v))
        for (ep, c), recs in groups.items(): s.indicate(d.nwk, ep, 1, 0x104, c, bytes([0x18, d.tsn(), 0x0A]) + b"".join(recs), d.lqi)
    def join(s, d):
        d.joined = True; s.indicate(d.nwk, 0, 0, 0, 0x0013, bytes([d.tsn()]) + struct.pack("<HQB", d.nwk, d.ieee, 0x8E if d.router else 0x80), d.lqi, dst=0xFFFD)

    async def host(s, r, w):
        if s.w: s.w.close()
        s.w = w; buf = bytearray(); esc = False
        try:
            while (data := await r.read(4096)):
                for x in data:
                    if x == END:
                        if len(buf) > 6 and crc(buf[:-2]) == bytes(buf[-2:]) and not s.hang: s.frame(bytes(buf[:-2]))
                        buf.clear()
                    elif esc: buf.append(END if x == ESC_END else ESC); esc = False
                    elif x == ESC: esc = True
                    else: buf.append(x)
        except (ConnectionError, OSError): pass
        finally:
            if s.w is w: s.w = None
            w.close()
    async def control(s, r, w):
        while (line := await r.readline()):
            try:
                q = json.loads(line); d = s.devs.get(q.get("dev")); do = q["do"]; a = {"ok": True}
                if do == "list": a["devices"] = [dict(name=x.name, ieee="0x%016x" % x.ieee, nwk=x.nwk, joined=x.joined, binds=len(x.binds), reporting=len(x.reporting)) for x in s.devs.values()]
                elif do == "join": s.join(d)
                elif do == "leave": s.indicate(d.nwk, 0, 0, 0, 0x8034, bytes([d.tsn(), 0]), d.lqi); d.joined = False
                elif do == "report": s.report(d, q["attrs"])
                elif do == "power":
                    for ep, c, aid, t, v in q["attrs"]: d.attr[ep][(c, aid)] = (t, v)
                    s.join(d)
                elif do == "zone":
                    d.attr[1][(0x500, 2)] = (0x19, q["status"])
                    s.indicate(d.nwk, 1, 1, 0x104, 0x500, bytes([0x19, d.tsn(), 0]) + struct.pack("<HBBH", q["status"], 0, 0, 0), d.lqi)
                elif do == "tuya":
                    i, t, v = q["dp"]; raw = {1: lambda: bytes([v]), 2: lambda: struct.pack(">i", v), 4: lambda: bytes([v]), 3: lambda: v.encode(), 0: lambda: bytes.fromhex(v)}[t]()
                    s.indicate(d.nwk, 1, 1, 0x104, 0xEF00, bytes([0x19, d.tsn(), 0x02, 0, d.seq, i, t]) + struct.pack(">H", len(raw)) + raw, d.lqi)
                elif do == "silent": d.silent = q["on"]
                elif do == "lqi": d.lqi = q["lqi"]
                elif do == "get": a["value"] = s.get(d, q["attr"])
                elif do == "seen": a["seen"] = d.seen[-50:]
                elif do == "firmware": a["firmware"] = d.image
                elif do == "hang": s.hang = q["on"]
                elif do == "drop": s.w and s.w.transport.abort()
                else: a = {"ok": False, "error": "unknown"}
            except Exception as e: a = {"ok": False, "error": repr(e)}
            w.write(json.dumps(a).encode() + b"\n"); await w.drain()
        w.close()
    def get(s, d, k):
        v = d.attr[k[0]].get((k[1], k[2])); v = v and v[1]
        return v.hex() if isinstance(v, bytes) else v
async def main():
    ap = argparse.ArgumentParser(); ap.add_argument("--port", type=int, default=6638); ap.add_argument("--control", type=int, default=6639); ap.add_argument("--joined", action="store_true"); A = ap.parse_args()
    s = Stick()
    if A.joined:
        for d in s.devs.values(): d.joined = True
    a = await asyncio.start_server(s.host, "127.0.0.1", A.port); b = await asyncio.start_server(s.control, "127.0.0.1", A.control)
    print("READY", flush=True); await asyncio.Event().wait()
asyncio.run(main())
