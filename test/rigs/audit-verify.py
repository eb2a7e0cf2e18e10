"""Reads an audit log as docs/audit-format.md tells it, with nothing of ours: prints what is signed, and by whom, as JSON."""
import hashlib
import json
import struct
import sys
import zlib

log = open(sys.argv[1], "rb").read()
assert log[:32] == b"ContainerSSH-Auditlog" + bytes(11)
assert struct.unpack("<Q", log[32:40]) == (2,)

content, rest = b"", log[40:]
while rest:
    member = zlib.decompressobj(31)
    content += member.decompress(rest)
    rest = member.unused_data


def item(at):
    """The item at this place, and where the next one is."""
    major, info = content[at] >> 5, content[at] & 31
    at += 1
    if info >= 24:
        width = 1 << (info - 24)
        info = int.from_bytes(content[at:at + width], "big")
        at += width
    if major == 0:
        return info, at
    if major == 1:
        return -1 - info, at
    if major == 2:
        return content[at:at + info], at + info
    if major == 3:
        return content[at:at + info].decode(), at + info
    if major == 4:
        values = []
        for _ in range(info):
            value, at = item(at)
            values.append(value)
        return values, at
    if major == 5:
        pairs = {}
        for _ in range(info):
            key, at = item(at)
            pairs[key], at = item(at)
        return pairs, at
    return {20: False, 21: True, 22: None}[info], at


at, batch, count, ids, message, raw = 0, 0, 0, set(), {}, b""
while at < len(content):
    message, end = item(at)
    raw = content[at:end]
    assert message["seq"] == count, message
    if "prev" in message:
        assert message["prev"] == hashlib.sha256(content[batch:at]).digest(), count
        batch = at
    ids.add(message["connectionId"])
    count += 1
    at = end

assert len(ids) == 1 and message["type"] == 1 and "prev" in message
unsigned = bytes([raw[0] - 1]) + raw[1:-76]
assert raw[-76:-64] == b"\x69signature\x58\x40" and raw[-64:] == message["signature"]
text = b"ContainerSSH-Auditlog-v1\0" + hashlib.sha256(unsigned).digest()
json.dump({"messages": count, "signer": message["signer"].hex(), "text": text.hex(), "signature": raw[-64:].hex()}, sys.stdout)
