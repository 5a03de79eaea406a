"""The file of a road graph: one .npz (a zip of numpy arrays) with a header, compact and safe to read.

A file is written beside its place and renamed, so a reader sees the old one or the new one. Reading trusts nothing:
no pickles, a limit on the size once unpacked, and every array is checked before an engine in C++ sees it.
"""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bowei.roads.errors import (
    RoadFileMissing,
    RoadFileTooLarge,
    RoadFileUnreadable,
    RoadFileVersionUnknown,
    RoadGraphInvalid,
)
from bowei.roads.graph import RoadGraph, TrafficSide
from bowei.roads.walk_network import WalkNetwork

FORMAT = "bowei-roads"
FORMAT_VERSION = 2

UNPACKED_BYTES_MAX = 4 * 2**30
"""About 60 million edges; a country. Refuses a zip bomb before it is unpacked."""

_ARRAYS: dict[str, DTypeLike] = {
    "node_lat": np.float64,
    "node_lon": np.float64,
    "tail": np.int32,
    "head": np.int32,
    "travel_s": np.float32,
    "length_m": np.float32,
    "way": np.int64,
    "kerb_only": np.bool_,
    "copy_of": np.int32,
    "node_copy_of": np.int32,
}
_WALKS: dict[str, DTypeLike] = {f"walk_{name}": np.int32 for name in ("lat_e7", "lon_e7", "one_end", "other_end")}
"""All of them, or none where nobody said where people walk."""
_ORDER = "contraction_order"
_HEADER = "header"
_HEADER_BYTES_MAX = 64 * 1024


def save_graph(graph: RoadGraph, path: Path) -> None:
    """Write the graph at `path`, replacing what was there in one step.

    Raises:
        OSError: the folder is missing, read-only or full; nothing is left behind.
    """
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": graph.name,
        "version": graph.version,
        "attribution": graph.attribution,
        "traffic_side": graph.traffic_side,
    }
    arrays: dict[str, Any] = {name: getattr(graph, name) for name in _ARRAYS}
    if graph.contraction_order is not None:
        arrays[_ORDER] = graph.contraction_order
    if graph.walks is not None:
        arrays |= {name: getattr(graph.walks, name.removeprefix("walk_")) for name in _WALKS}
    arrays[_HEADER] = np.frombuffer(json.dumps(header, ensure_ascii=False).encode(), dtype=np.uint8)
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with beside.open("xb") as file:
            np.savez_compressed(file, **arrays)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def load_graph(path: Path, *, unpacked_bytes_max: int = UNPACKED_BYTES_MAX) -> RoadGraph:
    """Read a graph.

    Raises:
        RoadFileMissing: no such file.
        RoadFileVersionUnknown: written by another version of the format.
        RoadFileTooLarge: it would unpack to more than `unpacked_bytes_max`.
        RoadFileUnreadable: not a road graph, or damaged.
    """
    if not path.is_file():
        raise RoadFileMissing(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as packed:
            unpacked_bytes = sum(entry.file_size for entry in packed.infolist())
        if unpacked_bytes > unpacked_bytes_max:
            raise RoadFileTooLarge(f"{path}: unpacks to {unpacked_bytes} bytes, limit {unpacked_bytes_max}")
        with np.load(path, allow_pickle=False) as stored:
            return _read(dict(stored.items()), path)
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, RuntimeError, RoadGraphInvalid) as error:
        raise RoadFileUnreadable(f"{path}: not a road graph, or damaged ({error})") from error


def _read(stored: dict[str, NDArray[Any]], path: Path) -> RoadGraph:
    header = _read_header(stored, path)
    walks = _WALKS if any(name in stored for name in _WALKS) else {}
    missing = [name for name in (*_ARRAYS, *walks) if name not in stored]
    if missing:
        raise RoadFileUnreadable(f"{path}: lacks {', '.join(missing)}")
    for name, wanted in {**_ARRAYS, **walks, _ORDER: np.int32}.items():
        if name in stored and stored[name].dtype != wanted:
            raise RoadFileUnreadable(f"{path}: {name} is {stored[name].dtype}, expected {np.dtype(wanted)}")
    return RoadGraph(
        name=str(header["name"]),
        version=str(header["version"]),
        attribution=str(header["attribution"]),
        traffic_side=TrafficSide(header["traffic_side"]),
        **{name: stored[name] for name in _ARRAYS},
        walks=WalkNetwork(*(stored[name] for name in walks)) if walks else None,
        contraction_order=stored.get(_ORDER),
    )


def _read_header(stored: dict[str, NDArray[Any]], path: Path) -> dict[str, Any]:
    packed = stored.get(_HEADER)
    if packed is None or packed.dtype != np.uint8 or packed.size > _HEADER_BYTES_MAX:
        raise RoadFileUnreadable(f"{path}: has no header of a road graph")
    header = json.loads(packed.tobytes())
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise RoadFileUnreadable(f"{path}: has no header of a road graph")
    if header.get("format_version") != FORMAT_VERSION:
        raise RoadFileVersionUnknown(
            f"{path}: format version {header.get('format_version')!r}, this program reads {FORMAT_VERSION}; "
            "build the file again with `bowei roads build`"
        )
    absent = [key for key in ("name", "version", "attribution", "traffic_side") if key not in header]
    if absent:
        raise RoadFileUnreadable(f"{path}: header lacks {', '.join(absent)}")
    return header
