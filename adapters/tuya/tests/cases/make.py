#!/usr/bin/env python3
"""Makes the cases beside it: the device's octets come from tinytuya, so that another implementation judges the codec.
Run with the peers' environment: .peers/tuya/bin/python adapters/tuya/tests/cases/make.py"""
import base64, json, os, struct
from hashlib import md5
from tinytuya.core import AESCipher, pack_message, TuyaMessage
from tinytuya.core import header as H, command_types as CT

HERE = os.path.dirname(os.path.abspath(__file__))
ID, KEY, OTHER = "bf0123456789abcdef01ab", b"0123456789abcdef", b"fedcba9876543210"
HEAD = f"""[listen]
ports = []

[[device]]
key = "plug"
id = "{ID}"
local_key = "0123456789abcdef"
host = "{{{{host}}}}"
port = {{{{port}}}}
interval_ms = 60000
heartbeat_ms = 60000
timeout_ms = 1500
retry_ms = 30000
"""
POINTS = """
[[device.point]]
key = "switch"
dp = 1
type = "bool"
access = "read_write"
settle_ms = 300

[[device.point]]
key = "power"
dp = 19
type = "float"
scale = 0.1
unit = "W"
"""
DPS = {"1": False, "19": 953}


def hexed(raw):
    return " ".join(f"{octet:02x}" for octet in raw)


def frame(command, body, sequence=1):
    return pack_message(TuyaMessage(sequence, command, 0, body, 0, True, H.PREFIX_55AA_VALUE, None))


def code(number):
    return struct.pack(">I", number)


def dumped(data):
    return data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()


def body33(data, head=False, key=KEY):
    return (b"3.3" + bytes(12) if head else b"") + AESCipher(key).encrypt(dumped(data), use_base64=False)


def body31(data, key=KEY):
    text = base64.b64encode(AESCipher(key).encrypt(dumped(data), use_base64=False))
    return b"3.1" + md5(b"data=" + text + b"||lpv=3.1||" + key).hexdigest()[8:24].encode() + text


def expect(sequence, command, length):
    """A frame of the adapter: header in full, then so many octets of body, check and end."""
    head = struct.pack(">IIII", 0x55AA, sequence, command, length + 8)
    return "> " + hexed(head) + " .." * (length + 4) + " 00 00 aa 55"


def padded(text):
    return (len(text) // 16 + 1) * 16


QUERY = f'{{"gwId":"{ID}","devId":"{ID}","uid":"{ID}","t":"1700000000"}}'
ASK33 = expect(1, CT.DP_QUERY, padded(QUERY))
ASK31 = expect(1, CT.DP_QUERY, len(QUERY))
READ = ['{"path":"plug/switch","value":false,"quality":"good"}', '{"path":"plug/power","value":95.3,"quality":"good"}']
ANSWER = "< " + hexed(frame(CT.DP_QUERY, code(0) + body33({"dps": DPS})))


def case(name, config, wire, expected):
    folder = os.path.join(HERE, name)
    os.makedirs(folder, exist_ok=True)
    put = lambda file, text: open(os.path.join(folder, file), "w").write(text.rstrip("\n") + "\n")
    if wire is None:
        put("config.toml", config.replace("{{host}}", "192.0.2.20").replace("{{port}}", "6668"))
        return put("init.err", expected)
    put("config.toml", config)
    put("wire.txt", "\n".join(wire))
    put("expected.jsonl", "\n".join(expected))


def v(version, points=POINTS):
    return HEAD + f'version = "{version}"\n' + points


ONLINE = '{"device":{"state":"online"}}'
case("read-3-3", v("3.3"), ["# return code before the cipher text", ASK33, ANSWER], READ + [ONLINE])
case("read-3-1", v("3.1"), [ASK31, "< " + hexed(frame(CT.DP_QUERY, code(0) + dumped({"devId": ID, "dps": DPS})))], READ + [ONLINE])
case("no-return-code-3-3", v("3.3"), ["# cipher text at once: its length tells", ASK33, "< " + hexed(frame(CT.DP_QUERY, body33({"dps": DPS})))], READ)
case("no-return-code-3-1", v("3.1"), ["# text at once", ASK31, "< " + hexed(frame(CT.DP_QUERY, dumped({"dps": DPS})))], READ)
case("push-3-3-with-and-without-code", v("3.3"), [
    ASK33, ANSWER, "wait 50",
    "< " + hexed(frame(CT.STATUS, code(0) + body33({"devId": ID, "dps": {"19": 10}, "t": 1}, True))),
    "< " + hexed(frame(CT.STATUS, body33({"devId": ID, "dps": {"19": 20}, "t": 1}, True))),
    "# the shape newer firmware reports in",
    "< " + hexed(frame(CT.STATUS, body33({"protocol": 4, "t": 1, "data": {"dps": {"19": 30}}}, True))),
], READ + ['{"path":"plug/power","value":%s,"quality":"good"}' % x for x in ("1.0", "2.0", "3.0")])
case("push-3-1-signed", v("3.1"), [
    ASK31, "< " + hexed(frame(CT.DP_QUERY, dumped({"dps": DPS}))),
    "< " + hexed(frame(CT.STATUS, body31({"devId": ID, "dps": {"19": 10}, "t": 1}))),
], READ + ['{"path":"plug/power","value":1.0,"quality":"good"}'])
bad = frame(CT.STATUS, code(0) + body33({"dps": {"19": 6666}}, True))
bad = bad[:-6] + bytes([bad[-6] ^ 1]) + bad[-5:]
case("wrong-crc", v("3.3"), [ASK33, ANSWER, "# never to become a value", "< " + hexed(bad),
    "< " + hexed(frame(CT.STATUS, code(0) + body33({"dps": {"19": 20}}, True)))],
    READ + ['{"path":"plug/power","value":2.0,"quality":"good"}', '{"lane":{"desyncs":1}}'])
case("stray-octets", v("3.3"), [ASK33, "< 00 00 55 01 02 03 99", ANSWER], READ)
case("absurd-length", v("3.3"), [ASK33, "# a frame that claims two gigabytes", "< 00 00 55 aa 00 00 00 01 00 00 00 08 7f ff ff ff", ANSWER], READ)
DOWN = ['{"path":"plug/switch","value":null,"quality":"bad:device_down"}', '{"path":"plug/power","value":null,"quality":"bad:device_down"}']
case("another-key", v("3.3"), [ASK33, "< " + hexed(frame(CT.DP_QUERY, code(0) + body33({"dps": DPS}, key=OTHER))), "gone"],
    DOWN + ['{"device":{"state":"offline","last_error":"~wrong key"}}'])
case("another-signature-3-1", v("3.1"), [
    ASK31, "< " + hexed(frame(CT.DP_QUERY, dumped({"dps": DPS}))), "wait 50",
    "< " + hexed(frame(CT.STATUS, body31({"dps": {"19": 10}}, key=OTHER))), "gone",
], READ + ['{"device":{"last_error":"~key changed"}}'])
case("frames-of-3-5", v("3.3"), [ASK33, "# a device that speaks 3.5 after an update",
    "< " + hexed(pack_message(TuyaMessage(1, CT.STATUS, None, code(0) + b"3.5" + bytes(12) + dumped({"dps": DPS}), 0, True, H.PREFIX_6699_VALUE, True), hmac_key=KEY)), "gone"],
    DOWN + ['{"device":{"state":"offline","last_error":"~wrong version"}}'])
named = f'{{"devId":"{ID}","uid":"{ID}","t":"1700000000","dps":{{"1":null,"19":null}}}}'
case("points-only-by-name", v("3.3"), [
    ASK33, "< " + hexed(frame(CT.DP_QUERY, code(1) + body33(b"json obj data unvalid"))),
    "# asked again, by name", expect(2, CT.CONTROL_NEW, 15 + padded(named)),
    "< " + hexed(frame(CT.CONTROL_NEW, code(0), 2)), "< " + hexed(frame(CT.STATUS, code(0) + body33({"dps": DPS}, True), 3)),
], READ)
write = f'{{"devId":"{ID}","uid":"{ID}","t":"1700000000","dps":{{"1":true}}}}'
WRITE = expect(2, CT.CONTROL, 15 + padded(write))
case("write-confirmed", v("3.3"), [ASK33, ANSWER, "write plug/switch true", WRITE,
    "< " + hexed(frame(CT.CONTROL, code(0), 2)), "< " + hexed(frame(CT.STATUS, code(0) + body33({"dps": {"1": True}}, True)))],
    READ + ['{"path":"plug/switch","value":true,"quality":"good"}', '{"write":"plug/switch","result":"applied","read_back":true}'])
ASK3 = expect(3, CT.DP_QUERY, padded(QUERY))
case("write-not-reported-but-there", v("3.3"), [ASK33, ANSWER, "write plug/switch true", WRITE,
    "< " + hexed(frame(CT.CONTROL, code(0), 2)), "# asked after the settling time", ASK3,
    "< " + hexed(frame(CT.DP_QUERY, code(0) + body33({"dps": {"1": True, "19": 953}})))],
    READ + ['{"path":"plug/switch","value":true,"quality":"good"}', READ[1], '{"write":"plug/switch","result":"applied","read_back":true}'])
case("write-not-effective", v("3.3"), [ASK33, ANSWER, "write plug/switch true", WRITE,
    "< " + hexed(frame(CT.CONTROL, code(0), 2)), ASK3, ANSWER],
    READ + READ + ['{"write":"plug/switch","result":"not_effective","read_back":false,"detail":"~acknowledged"}'])
case("write-refused", v("3.3"), [ASK33, ANSWER, "write plug/switch true", WRITE,
    "< " + hexed(frame(CT.CONTROL, code(1) + body33(b"parse data error"), 2))],
    READ + ['{"write":"plug/switch","result":"refused","detail":"~parse data error"}'])
odd = """
[[device.point]]
key = "mode"
dp = 4
type = "enum"
values = ["auto", "off"]
[[device.point]]
key = "fault"
dp = 26
type = "bit"
bit = 1
[[device.point]]
key = "humidity"
dp = 5
type = "float"
limits = { min = 0, max = 100 }
[[device.point]]
key = "nothing"
dp = 6
type = "int"
[[device.point]]
key = "missing"
dp = 7
type = "int"
[[device.point]]
key = "volts"
dp = 8
type = "packed"
length = 2
scale = 0.1
[[device.point]]
key = "amps"
dp = 8
type = "packed"
at = 2
length = 3
scale = 0.001
signed = true
"""
values = {"4": "eco", "26": 2, "5": 101, "6": None, "8": base64.b64encode(bytes([9, 7, 255, 252, 24])).decode()}
q = lambda p, value, quality: json.dumps({"path": "plug/" + p, "value": value, "quality": quality}, separators=(",", ":"))
case("odd-values", v("3.3", odd), [ASK33, "< " + hexed(frame(CT.DP_QUERY, code(0) + body33({"dps": values})))], [
    q("mode", None, "bad:undecodable"), q("fault", True, "good"), q("humidity", 101.0, "uncertain:out_of_range"),
    q("nothing", None, "bad:not_available"), q("missing", None, "bad:not_available"), q("volts", 231.1, "good"), q("amps", -1.0, "good")])
sub = POINTS + """
[[device]]
key = "door"
via = "plug"
node = "a4c1380002"
[[device.point]]
key = "contact"
dp = 101
type = "enum"
values = ["closed", "open"]
"""
nodeq = '{"t":1700000000,"cid":"a4c1380002"}'
streamq = '{"reqType":"subdev_online_stat_query","data":{}}'
case("behind-a-gateway", v("3.3", sub), [
    ASK33, ANSWER, expect(2, CT.DP_QUERY, padded(nodeq)),
    "# answered without naming the node", "< " + hexed(frame(CT.DP_QUERY, code(0) + body33({"dps": {"101": "open"}}), 2)),
    expect(3, CT.LAN_EXT_STREAM, padded(streamq)),
    "< " + hexed(frame(CT.LAN_EXT_STREAM, code(0) + body33({"reqType": "subdev_online_stat_report", "data": {"online": [], "offline": ["a4c1380002"]}}), 3)),
], READ + ['{"path":"door/contact","value":1,"quality":"good"}', '{"path":"door/contact","value":1,"quality":"bad:device_down"}', '{"device":{"device":"door","state":"offline","last_error":"~gateway"}}'])
case("unknown-key", HEAD + 'versoin = "3.3"\n', None, "device[0]: unknown field 'versoin', expected one of " + ", ".join(
    f"'{k}'" for k in "key name id local_key host port version via node profile skip sleepy interval_ms timeout_ms connect_timeout_ms heartbeat_ms retry_ms retry_max_ms beacon_wait_ms refresh refresh_ms point".split()) + "; did you mean 'version'?")
case("short-local-key", HEAD.replace('"0123456789abcdef"', '"0123456789abcde"'), None,
    "device[0].local_key: a local key has 16 characters and this text has 15; take it exactly as the key tool prints it, and write it in single quotes")
case("unknown-version", HEAD + 'version = "3.9"\n', None, "device[0]: '3.9' is no version of the local protocol; there are 3.1, 3.2, 3.3, 3.4 and 3.5")
case("no-such-gateway", v("3.3", sub.replace('via = "plug"', 'via = "plugg"')), None,
    "device[1].via: no device with its own connection is called 'plugg'; the nearest known one is 'plug'")
case("one-device-twice", HEAD + HEAD.split("ports = []")[1].replace('key = "plug"', 'key = "other"'), None,
    f"device[1].id: another device already has id '{ID}': devices take very few connections, so each may be configured once")
case("enum-without-words", v("3.3", '[[device.point]]\nkey = "mode"\ndp = 4\ntype = "enum"\n'), None,
    "device[0].point[0].values: list the words the device uses, in order of their states")
