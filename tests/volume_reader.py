"""A read-only reader of Conclave volumes, written from docs/volume-format.md alone.

    volume_reader.py CONTAINER < KEY      prints the tree as JSON, one line per object name

The 32 bytes of the secret come on standard input. Any damage raises Damage.
"""

import hashlib
import hmac
import json
import stat
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

BLOCK = 4096
PAGE = 16356
INODE, DIRENT, XATTR, SYMLINK, MAP, ORPHAN, BITMAP = range(1, 8)
PUT, DEL, MAPPED, UNMAPPED = range(1, 5)
FEATURE_LOG = 1
REGION = 16384


class Damage(Exception):
    """The container breaks a rule of the format."""


class WrongKey(Exception):
    """No key slot opens."""


def lp(label, *fields):
    out = b""
    for field in (label.encode(), *fields):
        if isinstance(field, int):
            field = field.to_bytes(8, "big")
        out += len(field).to_bytes(4, "big") + field
    return out


def hkdf(ikm, salt, info):
    prk = hmac.new(salt, ikm, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()


def need(condition, what):
    if not condition:
        raise Damage(what)


def zero(data, what):
    need(not any(data), f"{what}: reserved bytes")


def siphash(key, data):
    mask = (1 << 64) - 1
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D,
         k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotate(x, n):
        return ((x << n) | (x >> (64 - n))) & mask

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & mask
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    padded = data + b"\0" * (7 - len(data) % 8) + bytes([len(data) & 255])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


class Superblock:
    def __init__(self, raw):
        self.raw = raw
        (self.magic, self.version, self.suite, self.features, self.features_read_only,
         self.volume_id, self.generation, self.blocks, self.salt) = struct.unpack_from(
             "<8sIIQQ16sQQ32s", raw)
        self.known = (self.magic == b"Conclave" and self.version == 1 and self.suite == 1
                      and self.features & ~FEATURE_LOG == 0)

    def volume_key(self, secret):
        """The volume key, or None if no slot opens."""
        for i in range(8):
            slot = self.raw[96 + 112 * i:96 + 112 * (i + 1)]
            kind, epoch, share_set, nonce, wrapped, tag = struct.unpack_from("<II32s12s32s16s", slot)
            if kind == 0:
                continue
            kek = hkdf(secret, self.volume_id,
                       lp("conclave-vol-slot-key-v1", self.volume_id, kind, epoch))
            aad = lp("conclave-vol-slot-v1", self.volume_id, kind, epoch, share_set)
            try:
                return AESGCM(kek).decrypt(nonce, wrapped + tag, aad)
            except InvalidTag:
                continue
        return None

    def open(self, volume_key):
        """False if the sealed half does not open."""
        key = hkdf(volume_key, self.salt, lp("conclave-vol-super-key-v1", self.volume_id))
        try:
            plain = AESGCM(key).decrypt(bytes(12), self.raw[1040:] + self.raw[1024:1040],
                                        self.raw[:1024])
        except InvalidTag:
            return False
        zero(self.raw[992:1024], "superblock")
        zero(plain[192:240] + plain[1280:], "superblock")
        self.rekey_born, self.flags = struct.unpack_from("<QQ", plain, 240)
        need(self.flags < 2 and self.rekey_born <= self.generation, "superblock flags")
        self.root = plain[:48]
        (self.ring, self.ring_blocks, self.log_start, self.log_seq,
         self.log_key) = struct.unpack_from("<QQQQ32s", plain, 48)
        self.name_key = plain[112:128]
        (self.next_object, self.inodes, self.orphans, self.used_blocks,
         self.used_groups) = struct.unpack_from("<QQQQQ", plain, 128)
        self.state, self.active = struct.unpack_from("<II", plain, 184)
        self.keys = {}
        for i in range(16):
            state, _, _, _, _, data_key = struct.unpack_from("<IIQQQ32s", plain, 256 + 64 * i)
            if state:
                self.keys[i] = AESGCM(data_key)
        return True


class Volume:
    def __init__(self, path, secret):
        self.file = open(path, "rb")
        self.file.seek(0, 2)
        self.size = self.file.tell()
        need(self.size >= 32 << 20, "too short")
        self.super = self.choose([Superblock(self.read(1024 * i, 1)) for i in range(4)], secret)
        need(self.size >= self.super.blocks * BLOCK, "cut")
        self.items = {}
        self.used = {0, 1024, 2048, 3072}
        self.used |= set(range(self.super.ring, self.super.ring + self.super.ring_blocks))
        self.nodes = 0
        self.walk(self.super.root, (0, 0, 0), None, None)
        self.marked = self.read_bitmap()
        self.frames = 0
        if self.super.state == 0 and self.super.features & FEATURE_LOG:
            self.replay()

    def read(self, block, count):
        self.file.seek(block * BLOCK)
        data = self.file.read(count * BLOCK)
        need(len(data) == count * BLOCK, f"block {block}: behind the end")
        return data

    def choose(self, slots, secret):
        known = [s for s in slots if s.known]
        need(known, "no volume")
        keys = {k for k in (s.volume_key(secret) for s in known) if k}
        if not keys:
            raise WrongKey
        opened = [s.known and s.generation % 2 == i % 2 and any(s.open(k) for k in keys)
                  for i, s in enumerate(slots)]
        need(any(opened), "no superblock opens")
        best = max((s for s, good in zip(slots, opened) if good), key=lambda s: s.generation)
        g, first = best.generation, best.generation % 2
        other = 1 - first
        allowed = {first: {g}, first + 2: {g, g - 2}, other: {g - 1}, other + 2: {g - 1}}
        for i, good in enumerate(opened):
            need(not good or slots[i].generation in allowed[i], "superblocks disagree")
        need(opened[other] or opened[other + 2] or best.state == 0, "newest superblocks lost")
        if best.volume_key(secret) is None:
            raise WrongKey
        return best

    def open_sealed(self, label, block, key_id, nonce, sealed, tag):
        need(key_id in self.super.keys, f"block {block}: key")
        aad = lp(label, self.super.volume_id, block)
        try:
            return self.super.keys[key_id].decrypt(nonce, sealed + tag, aad)
        except InvalidTag:
            raise Damage(f"block {block} does not open") from None

    def use(self, first, count):
        for block in range(first, first + count):
            need(block not in self.used, f"block {block}: used twice")
            self.used.add(block)

    def walk(self, pointer, low, high, level):
        block = int.from_bytes(pointer[:6], "little")
        key_id, generation = struct.unpack_from("<HQ", pointer, 6)
        nonce, tag, node_level = pointer[16:28], pointer[28:44], pointer[44]
        zero(pointer[45:48], "pointer")
        need(block % 4 == 0 and 0 < block <= self.super.blocks - 4, "pointer")
        need(level is None or node_level == level, "level")
        self.use(block, 4)
        self.nodes += 1
        raw = self.read(block, 4)
        need(raw[:12] == nonce and raw[12:28] == tag, f"node {block}: nonce or tag")
        page = self.open_sealed("conclave-vol-node-v1", block, key_id, nonce, raw[28:], tag)
        slots = self.parse(page, generation, node_level)
        keys = [key for key, _ in slots]
        need(all(a < b for a, b in zip(keys, keys[1:])), f"node {block}: order")
        need(keys[0] >= low and (high is None or keys[-1] < high), f"node {block}: bounds")
        if node_level == 0:
            self.items.update(slots)
            return
        need(keys[0] == low, f"node {block}: bound")
        for (key, value), above in zip(slots, keys[1:] + [high]):
            need(len(value) == 48, "pointer")
            self.walk(value, key, above, node_level - 1)

    @staticmethod
    def parse(page, generation, level):
        need(len(page) == PAGE, "page")
        written, page_level, reserved, count = struct.unpack_from("<QBBH", page)
        need((written, page_level, reserved) == (generation, level, 0) and count, "page header")
        zero(page[12:32], "page")
        slots, end = [], PAGE
        for i in range(count):
            obj, offset, kind, r1, at, length, r2 = struct.unpack_from("<QQBBHHH", page, 32 + 24 * i)
            need(r1 == r2 == 0 and length <= 4096 and at == end - length, "slot")
            slots.append(((obj, kind, offset), page[at:end]))
            end = at
        need(32 + 24 * count <= end, "page")
        zero(page[32 + 24 * count:end], "page")
        return slots

    def read_bitmap(self):
        """The blocks that the stored tree marks."""
        marked = set()
        for (obj, kind, region), value in self.items.items():
            if kind == BITMAP:
                need(obj == 0 and len(value) == 2048, "bitmap")
                marked |= {region * REGION + i for i in range(REGION)
                           if value[i // 8] >> i % 8 & 1}
        need(len(marked) == self.super.used_blocks, "count of used blocks")
        need(len({b // 4 for b in marked}) == self.super.used_groups, "count of used groups")
        inodes = sum(1 for _, kind, _ in self.items if kind == INODE)
        need(inodes == self.super.inodes, "count of inodes")
        return marked

    def frame(self, ring, at, seq=None):
        """Number, durable, records and end of the frame at a byte of the unrolled ring, or None."""
        if at + 40 > len(ring):
            return None
        number, durable, length, reserved, tag = struct.unpack_from("<QQII16s", ring, at)
        if (number == 0 or durable >= number or not 0 < length <= 262144 or reserved
                or at + 40 + length > len(ring) or (seq is not None and number != seq)):
            return None
        aad = lp("conclave-vol-log-v1", self.super.volume_id, number, durable, length)
        try:
            plain = AESGCM(self.super.log_key).decrypt(
                struct.pack("<QI", number, 0), ring[at + 40:at + 40 + length] + tag, aad)
        except InvalidTag:
            return None
        return number, durable, plain, at + (40 + length + 15) // 16 * 16

    def replay(self):
        """Section 10: what the log holds behind the superblock, into self.items."""
        raw = self.read(self.super.ring, self.super.ring_blocks)
        start = self.super.log_start * BLOCK
        ring = raw[start:] + raw[:start]
        at, seq, frames = 0, self.super.log_seq, []
        while True:
            found = self.frame(ring, at, seq) or self.frame(ring, -(-at // BLOCK) * BLOCK, seq)
            if found is None:
                break
            frames.append(found)
            at, seq = found[3], seq + 1
        proven = max([f[1] for f in frames], default=self.super.log_seq - 1)
        for place in range(at, len(ring), 16):
            later, = struct.unpack_from("<Q", ring, place + 8) if place + 16 <= len(ring) else (0,)
            if later >= seq:
                need(self.frame(ring, place) is None, f"frame {seq} was durable and is gone")
        self.freed = set()
        for number, _, records, _ in frames:
            changes = list(self.records(records))
            if number > proven and not self.arrived(changes):
                break
            for change in changes:
                self.apply(*change)
            self.frames += 1

    def records(self, data):
        """Takes the records of a frame apart: (kind, key, value, entries by bit)."""
        at = 0
        while at < len(data):
            need(len(data) - at >= 24, "record")
            kind, item, length, reserved, obj, offset = struct.unpack_from("<BBHIQQ", data, at)
            value = data[at + 24:at + 24 + length]
            need(len(value) == length and reserved == 0 and obj < 1 << 63, "record")
            need(kind in (PUT, DEL, MAPPED, UNMAPPED), "record")
            need((item == MAP) == (kind in (MAPPED, UNMAPPED)) and item != BITMAP, "record")
            entries = {}
            if item == MAP:
                mask, = struct.unpack_from("<H", value)
                bits = [i for i in range(16) if mask >> i & 1]
                need(bits and length == 2 + 36 * len(bits) * (kind == MAPPED), "mask")
                for n, bit in enumerate(bits):
                    entry = value[2 + 36 * n:38 + 36 * n] if kind == MAPPED else bytes(36)
                    need(kind == UNMAPPED or 0 < int.from_bytes(entry[:6], "little")
                         < self.super.blocks, "entry")
                    need(kind == UNMAPPED or entry[6] | entry[7] << 8 in self.super.keys,
                         "a key that the superblock lacks")
                    entries[bit] = entry
            need(kind != DEL or length == 0, "record")
            yield kind, (obj, item, offset), value, entries
            at += 24 + length

    def arrived(self, changes):
        """Every block that these map opens."""
        try:
            for _, _, _, entries in changes:
                for entry in entries.values():
                    if any(entry):
                        self.open_entry(entry)
        except Damage:
            return False
        return True

    def apply(self, kind, key, value, entries):
        if kind == PUT:
            self.items[key] = value
        elif kind == DEL:
            self.items.pop(key, None)
        else:
            old = self.items.get(key, b"")
            group = [old[36 * i:36 * i + 36] or bytes(36) for i in range(16)]
            for bit, entry in entries.items():
                before, after = (int.from_bytes(e[:6], "little") for e in (group[bit], entry))
                if before:
                    self.marked.remove(before)
                    self.freed.add(before)
                if after:
                    need(after not in self.marked and after not in self.freed, "block in use")
                    self.marked.add(after)
                group[bit] = entry
            joined = b"".join(group)
            while joined and not any(joined[-36:]):
                joined = joined[:-36]
            if joined:
                self.items[key] = joined
            else:
                self.items.pop(key, None)

    def open_entry(self, entry):
        block, key_id = int.from_bytes(entry[:6], "little"), entry[6] | entry[7] << 8
        return block, self.open_sealed("conclave-vol-data-v1", block, key_id, entry[8:20],
                                       self.read(block, 1), entry[20:36])

    def inode(self, obj):
        value = self.items[(obj, INODE, 0)]
        need(len(value) == 128, "inode")
        zero(value[104:], "inode")
        mode, uid, gid, links, size, rdev, blocks = struct.unpack_from("<IIIIQQQ", value)
        seconds = struct.unpack_from("<4q", value, 40)
        nanos = struct.unpack_from("<4I", value, 72)
        parent, _ = struct.unpack_from("<QQ", value, 88)
        return {"mode": mode, "uid": uid, "gid": gid, "links": links, "size": size, "rdev": rdev,
                "blocks": blocks, "mtime_ns": seconds[1] * 10**9 + nanos[1], "parent": parent}

    def names(self, directory):
        for (obj, kind, offset), value in self.items.items():
            if (obj, kind) != (directory, DIRENT):
                continue
            at = 0
            while at < len(value):
                target, file_type, length = struct.unpack_from("<QBB", value, at)
                name = value[at + 10:at + 10 + length]
                need(siphash(self.super.name_key, name) >> 2 == offset, "hash of a name")
                need(self.inode(target)["mode"] >> 12 == file_type, "file type of a name")
                yield name, target
                at += 10 + length
            need(at == len(value), "names")

    def xattrs(self, obj):
        """Names and values of one object's extended attributes."""
        out, cost = {}, 0
        for (owner, kind, offset), value in self.items.items():
            if (owner, kind) != (obj, XATTR):
                continue
            at = 0
            while at < len(value):
                need(len(value) - at >= 4, "attribute")
                length, reserved, size = struct.unpack_from("<BBH", value, at)
                name, data = value[at + 4:at + 4 + length], value[at + 4 + length:][:size]
                need(reserved == 0 and name and b"\0" not in name and len(data) == size
                     and len(name) == length, "attribute")
                need(siphash(self.super.name_key, name) >> 2 == offset, "hash of an attribute")
                need(name not in out, "attribute twice")
                out[name] = data
                cost += 28 + length + size
                at += 4 + length + size
        need(cost <= 65536, "too many attributes")
        return out

    def mapped(self, obj):
        for (owner, kind, group), value in self.items.items():
            if (owner, kind) != (obj, MAP):
                continue
            need(len(value) % 36 == 0 and any(value[-36:]), "map")
            for i in range(len(value) // 36):
                entry = value[36 * i:36 * i + 36]
                if any(entry):
                    yield group * 16 + i, entry

    def content(self, obj):
        size = self.inode(obj)["size"]
        data = bytearray((size + BLOCK - 1) // BLOCK * BLOCK)
        count = 0
        for index, entry in self.mapped(obj):
            block, plain = self.open_entry(entry)
            self.use(block, 1)
            count += 1
            if (0, ORPHAN, obj) in self.items and index * BLOCK >= len(data):
                continue  # cut off, not freed yet
            need((index + 1) * BLOCK <= len(data), "block behind the end of a file")
            data[index * BLOCK:(index + 1) * BLOCK] = plain
        need(count == self.inode(obj)["blocks"], "count of blocks")
        zero(data[size:], "behind the end of a file")
        return bytes(data[:size])

    def tree(self):
        """Yields (path, object, inode), and checks directories on the way."""
        pending = [(b"", 1)]
        while pending:
            path, directory = pending.pop()
            names = sorted(self.names(directory))
            subdirs = 0
            for name, target in names:
                inode = self.inode(target)
                yield path + b"/" + name, target, inode
                if stat.S_ISDIR(inode["mode"]):
                    need(inode["parent"] == directory, "parent")
                    subdirs += 1
                    pending.append((path + b"/" + name, target))
            inode = self.inode(directory)
            need(inode["size"] == len(names) and inode["links"] == 2 + subdirs, "directory")

    def check_space(self):
        """After the content of every file was read: the bitmap marks exactly what is used."""
        need(self.marked == self.used,
             f"bitmap: {len(self.marked)} marked, {len(self.used)} used")

    def describe(self):
        """Everything that a mount would show, as a dictionary by path."""
        out, seen = {}, {}
        for path, obj, inode in self.tree():
            entry = {k: inode[k] for k in ("mode", "uid", "gid", "links", "mtime_ns")}
            if stat.S_ISREG(inode["mode"]):
                if obj not in seen:
                    seen[obj] = hashlib.sha256(self.content(obj)).hexdigest()
                entry["size"], entry["sha256"] = inode["size"], seen[obj]
            elif stat.S_ISLNK(inode["mode"]):
                target = self.items[(obj, SYMLINK, 0)]
                need(len(target) == inode["size"], "symlink")
                entry["target"] = target.decode("utf-8", "surrogateescape")
            attributes = self.xattrs(obj)
            if attributes:
                entry["xattrs"] = {name.decode("utf-8", "surrogateescape"): value.hex()
                                   for name, value in attributes.items()}
            out[path.decode("utf-8", "surrogateescape")] = entry
        for obj, kind, target in list(self.items):
            # unlinked, not freed yet
            if kind == ORPHAN and target not in seen and stat.S_ISREG(self.inode(target)["mode"]):
                self.content(target)
        self.check_space()
        return out


def main():
    volume = Volume(sys.argv[1], sys.stdin.buffer.read(32))
    for path, entry in sorted(volume.describe().items()):
        print(json.dumps({"path": path, **entry}, sort_keys=True))


if __name__ == "__main__":
    main()
