#!/usr/bin/env python3
"""A pretend Tuya device of version 3.1, 3.2, 3.3, 3.4 or 3.5, or a gateway with devices behind it; frames, ciphers
and signatures are tinytuya's own. Owns the misbehaviour real devices show; owns no client.

  tuya_peer.py VERSION ID KEY16 [--host 127.0.0.1] [--dps JSON] [--nodes JSON] [--beacon HOST:PORT] [--says VERSION]
               [--max-conn N] [--fault WORD]
Prints READY <port> <control port>. Announces itself every second to --beacon, as --says where that is given.
--nodes {"cid": {"1": true}} makes it a gateway. Control port: one JSON line, one answer line:
  {"dps":{"1":true}} sets and pushes; {"node":"cid","dps":{..}} the same behind the gateway; {"get":1} answers state;
  {"fault":"slow=1"} changes the fault; {"kick":1} closes every connection; {"key":"…"} pairs anew under another key;
  {"offline":["cid"]} and {"online":["cid"]} are told by the gateway; {"raw":1} pushes {"dps"} without return code.
Faults: slow=S, drop=N (closes after N answers), garbage (stray octets before each answer), badcheck (wrong CRC, HMAC
  or tag), split (octet by octet), device22 (gives data points only by name), mute (answers nothing), noack (reports
  without acknowledging), stubborn (acknowledges and keeps its own value), silent-push (acknowledges, never pushes),
  refuse (answers code 1), nocode (no return codes at all).
  A wrong key: by default a frame that cannot be read is ignored; closes closes, complains answers in the clear.
"""
import argparse, asyncio, base64, hmac, json, os, socket, struct, time
from hashlib import md5, sha256
from tinytuya.core import AESCipher, pack_message, unpack_message, parse_header, TuyaMessage
from tinytuya.core import header as H, command_types as CT

UDP_KEY = md5(b"yGAdlopoPVldABfn").digest()
parser = argparse.ArgumentParser()
for word in ("version", "id", "key"):
    parser.add_argument(word)
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--dps", default='{"1": false, "9": 0, "18": 412, "19": 953, "20": 2311}')
parser.add_argument("--nodes", default="{}")
parser.add_argument("--beacon")
parser.add_argument("--says")
parser.add_argument("--max-conn", type=int, default=3)
parser.add_argument("--fault", default="")
A = parser.parse_args()
V = A.version


class Device:
    key = A.key.encode("latin1")
    dps = json.loads(A.dps)
    nodes = json.loads(A.nodes)
    fault = A.fault
    offline = set()
    connections = set()
    accepted = 0
    port = 0


D = Device()


def points(node):
    return D.nodes[node] if node else D.dps


class Connection:
    def __init__(self, reader, writer):
        self.reader, self.writer, self.key, self.sequence, self.answers = reader, writer, D.key, 1, 0

    async def put(self, command, payload, sequence=None, code=0, key=None):
        if D.fault == "mute":
            return
        key = key or self.key
        head = b"" if code is None or D.fault == "nocode" else struct.pack(">I", code)
        sequence = sequence or self.next()
        if V == "3.5":
            raw = pack_message(TuyaMessage(sequence, command, None, head + payload, 0, True, H.PREFIX_6699_VALUE, True), hmac_key=key)
        else:
            raw = pack_message(TuyaMessage(sequence, command, 0, head + payload, 0, True, H.PREFIX_55AA_VALUE, None), hmac_key=key if V == "3.4" else None)
        kind = D.fault.split("=")
        if kind[0] == "slow":
            await asyncio.sleep(float(kind[1]))
        if kind[0] == "garbage":
            self.writer.write(os.urandom(7))
        if kind[0] == "badcheck":
            raw = raw[:-6] + bytes([raw[-6] ^ 0xFF]) + raw[-5:]
        if kind[0] == "split":
            for octet in raw:
                self.writer.write(bytes([octet]))
                await self.writer.drain()
                await asyncio.sleep(0.001)
        else:
            self.writer.write(raw)
        await self.writer.drain()
        self.answers += 1
        if kind[0] == "drop" and self.answers >= int(kind[1]):
            self.writer.transport.abort()

    def next(self):
        self.sequence += 1
        return self.sequence

    def seal(self, data, head):
        plain = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
        cipher = AESCipher(self.key)
        if V == "3.1":
            if not head:
                return plain
            text = base64.b64encode(cipher.encrypt(plain, use_base64=False))
            return b"3.1" + md5(b"data=" + text + b"||lpv=3.1||" + self.key).hexdigest()[8:24].encode() + text
        if V in ("3.2", "3.3"):
            return ((V.encode() + bytes(12)) if head else b"") + (cipher.encrypt(plain, use_base64=False) if plain else b"")
        if V == "3.4":
            return cipher.encrypt(((b"3.4" + bytes(12)) if head else b"") + plain, use_base64=False)
        return ((b"3.5" + bytes(12)) if head else b"") + plain

    def open(self, payload):
        cipher = AESCipher(self.key)
        deciphered = lambda p: cipher.decrypt(p, use_base64=False, decode_text=False)
        if V == "3.1":
            return deciphered(base64.b64decode(payload[19:])) if payload[:3] == b"3.1" else payload
        if V in ("3.2", "3.3"):
            if payload[:3] == V.encode():
                payload = payload[15:]
            return deciphered(payload) if payload else payload
        if V == "3.4" and payload:
            payload = deciphered(payload)
        return payload[15:] if payload[:3] == V.encode() else payload

    async def push(self, changed, node=None, code=0):
        if V in ("3.1", "3.2", "3.3"):
            body = {"devId": A.id, "dps": changed, "t": int(time.time())}
            if node:
                body["cid"] = node
        else:
            body = {"protocol": 4, "t": int(time.time()), "data": {"dps": changed}}
            if node:
                body["data"]["cid"] = node
        try:
            await self.put(CT.STATUS, self.seal(body, True), code=code)
        except (ConnectionError, OSError):
            pass  # this client left meanwhile; the others are still told

    async def unreadable(self, message):
        if D.fault == "closes":
            self.writer.transport.abort()
        elif D.fault == "complains" and V != "3.5":
            await self.put(message.cmd, b"json obj data unvalid", message.seqno, 1)

    async def one(self, message):
        if not message.crc_good:
            return await self.unreadable(message)
        command = message.cmd
        if command in (CT.SESS_KEY_NEG_START, CT.SESS_KEY_NEG_FINISH) and V in ("3.4", "3.5"):
            return await self.negotiate(command, message)
        try:
            plain = self.open(message.payload)
            ask = json.loads(plain) if plain else {}
        except ValueError:
            if V == "3.1":
                return await self.put(command, b"json obj data unvalid", message.seqno, 1)
            return await self.unreadable(message)
        if command == CT.HEART_BEAT:
            return await self.put(command, b"", message.seqno)
        await self.answer(command, ask, message.seqno)

    async def answer(self, command, ask, sequence):
        node = ask.get("cid") or ask.get("data", {}).get("cid")
        if command in (CT.DP_QUERY, CT.DP_QUERY_NEW):
            if D.fault == "device22":
                return await self.put(command, self.seal(b"json obj data unvalid", False), sequence, 1)
            if node and node not in D.nodes:
                return await self.put(command, self.seal(b"no such node", False), sequence, 1)
            body = {"dps": points(node)}
            if V < "3.4":
                body["devId"] = A.id
            if node:
                body["cid"] = node
            return await self.put(command, self.seal(body, False), sequence)
        if command in (CT.CONTROL, CT.CONTROL_NEW):
            return await self.control(command, ask, node, sequence)
        if command == CT.UPDATEDPS:
            await self.put(command, b"", sequence)
            return await self.push({str(k): D.dps[str(k)] for k in ask.get("dpId", []) if str(k) in D.dps})
        if command == CT.LAN_EXT_STREAM:
            online = [n for n in D.nodes if n not in D.offline]
            body = {"reqType": "subdev_online_stat_report", "data": {"online": online, "offline": sorted(D.offline)}}
            return await self.put(command, self.seal(body, False), sequence)
        await self.put(command, b"", sequence, 1)

    async def control(self, command, ask, node, sequence):
        wanted = ask.get("dps") if "dps" in ask else ask.get("data", {}).get("dps", {})
        if D.fault == "refuse":
            return await self.put(command, self.seal(b"dp not allowed", False), sequence, 1)
        if D.fault != "noack":
            await self.put(command, b"", sequence)
        held = points(node)
        changed = {}
        for number, value in wanted.items():
            if value is None:
                if number in held:
                    changed[number] = held[number]
            elif number in held:
                if D.fault != "stubborn":
                    held[number] = value
                changed[number] = held[number]
        if D.fault in ("silent-push", "stubborn") and not any(v is None for v in wanted.values()):
            return
        for other in list(D.connections):
            await other.push(changed, node)

    async def negotiate(self, command, message):
        key = D.key
        payload = message.payload
        if V == "3.4":
            payload = AESCipher(key).decrypt(payload, use_base64=False, decode_text=False)
        if command == CT.SESS_KEY_NEG_START:
            self.theirs, self.ours = payload, os.urandom(16)
            answer = self.ours + hmac.new(key, self.theirs, sha256).digest()
            if V == "3.4":
                answer = AESCipher(key).encrypt(answer, use_base64=False)
            return await self.put(CT.SESS_KEY_NEG_RESP, answer, message.seqno, key=key)
        if payload != hmac.new(key, self.ours, sha256).digest():
            return self.writer.transport.abort()
        mixed = bytes(a ^ b for a, b in zip(self.theirs, self.ours))
        if V == "3.4":
            self.key = AESCipher(key).encrypt(mixed, use_base64=False, pad=False)
        else:
            self.key = AESCipher(key).encrypt(mixed, use_base64=False, pad=False, iv=self.theirs[:12])[12:28]


async def client(reader, writer):
    D.accepted += 1
    if len(D.connections) >= A.max_conn:
        return writer.transport.abort()
    connection = Connection(reader, writer)
    D.connections.add(connection)
    buffer = b""
    try:
        while chunk := await reader.read(4096):
            buffer += chunk
            while len(buffer) >= 18:
                starts = [at for at in (buffer.find(H.PREFIX_55AA_BIN), buffer.find(H.PREFIX_6699_BIN)) if at >= 0]
                if not starts:
                    buffer = b""
                    break
                buffer = buffer[min(starts):]
                head = parse_header(buffer)
                if len(buffer) < head.total_length:
                    break
                whole, buffer = buffer[: head.total_length], buffer[head.total_length:]
                if (head.prefix == H.PREFIX_6699_VALUE) != (V == "3.5"):
                    continue  # frames of another version are noise to a device
                signed = connection.key if V in ("3.4", "3.5") else None
                await connection.one(unpack_message(whole, hmac_key=signed, header=head, no_retcode=True))
    except (ConnectionError, OSError):
        pass
    except Exception as error:
        print("ERROR", repr(error), flush=True)
        writer.transport.abort()
    finally:
        D.connections.discard(connection)
        writer.close()


async def control(reader, writer):
    while line := await reader.readline():
        ask = json.loads(line)
        if "key" in ask:
            D.key = ask["key"].encode("latin1")
        if "fault" in ask:
            D.fault = ask["fault"]
        if "dps" in ask:
            points(ask.get("node")).update(ask["dps"])
            for connection in list(D.connections):
                await connection.push(ask["dps"], ask.get("node"), None if "raw" in ask else 0)
        D.offline |= set(ask.get("offline", []))
        D.offline -= set(ask.get("online", []))
        if "kick" in ask or "key" in ask:
            for connection in list(D.connections):
                connection.writer.transport.abort()
        state = {"dps": D.dps, "nodes": D.nodes, "connections": len(D.connections), "accepted": D.accepted}
        writer.write(json.dumps(state).encode() + b"\n")
        await writer.drain()
    writer.close()


async def announce():
    host, port = A.beacon.rsplit(":", 1)
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    out.bind((A.host, 0))
    number = 0
    while True:
        number += 1
        says = A.says or V
        told = {"ip": A.host, "gwId": A.id, "active": 2, "ablilty": 0, "encrypt": V != "3.1", "productKey": "keytg5kq8gvkv9dh", "version": says, "token": True, "wf_cfg": True}
        text = json.dumps(told, separators=(",", ":")).encode()
        if V == "3.1":
            raw = pack_message(TuyaMessage(number, 0, 0, struct.pack(">I", 0) + text, 0, True, H.PREFIX_55AA_VALUE, None))
        elif V == "3.5":
            raw = pack_message(TuyaMessage(number, 0x13, 0, text, 0, True, H.PREFIX_6699_VALUE, True), hmac_key=UDP_KEY)
        else:
            body = struct.pack(">I", 0) + AESCipher(UDP_KEY).encrypt(text, use_base64=False)
            raw = pack_message(TuyaMessage(number, 0x13, 0, body, 0, True, H.PREFIX_55AA_VALUE, None))
        out.sendto(raw, (host, int(port)))
        await asyncio.sleep(1)


async def main():
    server = await asyncio.start_server(client, A.host, A.port)
    orders = await asyncio.start_server(control, "127.0.0.1", 0)
    if A.beacon:
        task = asyncio.ensure_future(announce())
    D.port = server.sockets[0].getsockname()[1]
    print("READY", D.port, orders.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
