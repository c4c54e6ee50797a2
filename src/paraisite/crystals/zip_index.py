"""Members of a .zip by place, so that any process can read any of them without the list of all.

The list of a million members takes seconds to read and hundreds of MB; the place of one is a few numbers.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO

from paraisite.crystals.files import DAMAGED

_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, and lengths of the name and of the extra field (APPNOTE.TXT 4.3.7)."""


@dataclass(frozen=True, slots=True)
class ZipMember:
    """Where a member lies and how it is packed.

    Attributes
    ----------
    name : str
    offset : int
        Of its local header, in bytes.
    packed, size : int
        Bytes in the archive and unpacked.
    crc : int
    method : int
        0 (stored), 8 (deflated), 12 (bzip2) or 14 (LZMA); others are refused by `read`.
    """

    name: str
    offset: int
    packed: int
    size: int
    crc: int
    method: int

    @classmethod
    def of(cls, info: zipfile.ZipInfo) -> ZipMember:
        """Take the place of a member from the archive's list."""
        return cls(info.filename, info.header_offset, info.compress_size, info.file_size, info.CRC, info.compress_type)

    def read(self, file: IO[bytes]) -> bytes:
        """Return the content.

        Parameters
        ----------
        file : binary file
            The archive, which can seek.

        Raises
        ------
        ValueError
            If it is damaged, unpacks to more than it says, or is packed by another method.
        """
        file.seek(self.offset)
        signature, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size).ljust(30, b"\0"))
        if signature != b"PK\x03\x04":
            raise ValueError("its entry does not begin where the list of the archive says")
        file.seek(name_length + extra_length, 1)
        # nothing sensible grows by packing, so that no damaged list can ask for more memory than the content
        data = file.read(min(self.packed, 2 * self.size + 4096))
        try:
            if self.method == zipfile.ZIP_DEFLATED:
                data = zlib.decompressobj(-15).decompress(data, self.size + 1)
            elif self.method == zipfile.ZIP_BZIP2:
                data = bz2.BZ2Decompressor().decompress(data, self.size + 1)
            elif self.method == zipfile.ZIP_LZMA:
                data = _lzma(data, self.size)
            elif self.method != zipfile.ZIP_STORED:
                raise ValueError(f"compression method {self.method} is not supported")
        except (*DAMAGED, struct.error) as error:
            raise ValueError(str(error)) from None
        if len(data) != self.size:
            raise ValueError(f"it unpacks to {len(data)} bytes, not {self.size}")
        if zlib.crc32(data) != self.crc:
            raise ValueError("its checksum is wrong")
        return data


def _lzma(data: bytes, size: int) -> bytes:
    """Unpack what begins with the properties of LZMA, as in APPNOTE.TXT 5.8.8."""
    length, properties, window = struct.unpack_from("<2xHBI", data)
    rest, pb = properties % 45, properties // 45
    options = {"id": lzma.FILTER_LZMA1, "lc": rest % 9, "lp": rest // 9, "pb": pb}
    # nothing refers back beyond the beginning, so that no damaged header can ask for more memory than the content
    options["dict_size"] = min(window, max(size, 4096))
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options]).decompress(data[4 + length :], size + 1)
