# SPDX-License-Identifier: BSD-2-Clause
"""
A reader of BTF (Documentation/bpf/btf.rst), of as much as the slice test needs: structs,
their members by name through anonymous ones, and what a type is in the end.
"""
import struct

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT = range(1, 12)
FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(12, 20)


class Btf:
    def __init__(self, path="/sys/kernel/btf/vmlinux"):
        data = open(path, "rb").read()
        _magic, _version, _flags, head, types, types_len, names, names_len = \
            struct.unpack_from("<HBBIIIII", data)
        self.names = data[head + names:head + names + names_len]
        self.types = [None]
        self.structs = {}
        self.parse(data[head + types:head + types + types_len])

    def name(self, at):
        return self.names[at:self.names.index(b"\0", at)].decode()

    def parse(self, data):
        at = 0
        while at < len(data):
            name, info, size = struct.unpack_from("<III", data, at)
            kind, count, flag = info >> 24 & 31, info & 0xffff, info >> 31
            at += 12
            extra = at
            at += {INT: 4, ARRAY: 12, STRUCT: 12 * count, UNION: 12 * count, ENUM: 8 * count,
                   FUNC_PROTO: 8 * count, VAR: 4, DATASEC: 12 * count, DECL_TAG: 4,
                   ENUM64: 12 * count}.get(kind, 0)
            detail = None
            if kind == INT:
                detail = struct.unpack_from("<I", data, extra)[0]
            elif kind in (STRUCT, UNION):
                detail = (flag, [struct.unpack_from("<III", data, extra + 12 * i)
                                 for i in range(count)])
                if kind == STRUCT and name:
                    self.structs.setdefault(self.name(name), []).append(len(self.types))
            self.types.append((kind, size, detail))

    def resolve(self, number):
        """The type behind typedefs and qualifiers."""
        while self.types[number] and self.types[number][0] in \
                (TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG):
            number = self.types[number][1]
        return self.types[number]

    def member(self, number, wanted):
        """(type, bits) of a member by name, looking into anonymous ones; None when there is none."""
        flag, members = self.types[number][2]
        for name, kind, offset in members:
            if name and self.name(name) == wanted:
                return self.resolve(kind), offset >> 24 if flag else 0
            if not name and self.resolve(kind)[0] in (STRUCT, UNION):
                while self.types[kind][0] not in (STRUCT, UNION):
                    kind = self.types[kind][1]
                found = self.member(kind, wanted)
                if found:
                    return found
        return None
