"""The lake's tables: what a row is, where it lies, and how a lake is made and opened.

Three Delta tables under one address, a folder or `s3://bucket/path`, each partitioned by day and bucket, append-only:

* `interval`: one meter's day as it came in one batch; what did not come is null. A later batch is a later version.
* `facts`: what the business knows of each meter on a day: its transformer, sanctioned load, whether it may give back.
* `validated`: one meter's day as validation and estimation left it in one run; the latest run counts.

A bucket is a fixed share of all meters by their serial, so that a day is worked through in pieces of bounded memory.
"""

import json
import os
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import TableNotFoundError
from pyarrow import fs

from bahal.shared.errors import ENVIRONMENT, REFUSED, Refusal

PARTITIONS: Final = ["day", "bucket"]
BUCKETS: Final = 4
"""Enough for a circle; a state takes `BUCKETS_OF_A_STATE`."""
BUCKETS_OF_A_STATE: Final = 64

_WH = pa.list_(pa.int32())

INTERVAL: Final = pa.schema(
    [
        ("day", pa.date32()),
        ("bucket", pa.int32()),
        ("meter", pa.string()),
        ("batch", pa.int64()),
        ("slots", pa.int16()),
        ("wh", _WH),
        ("out_wh", _WH),
        ("vah", _WH),
        ("out_vah", _WH),
        ("dv", _WH),
        ("ma", _WH),
        ("day_out_wh", pa.int64()),
        ("highest_dv", pa.int32()),
        ("highest_ma", pa.int32()),
        ("open_wh", pa.int64()),
        ("close_wh", pa.int64()),
        ("drift_s", pa.int32()),
        ("noted", pa.int32()),
    ]
)
FACTS: Final = pa.schema(
    [
        ("day", pa.date32()),
        ("bucket", pa.int32()),
        ("meter", pa.string()),
        ("transformer", pa.int64()),
        ("load_w", pa.int32()),
        ("exports", pa.bool_()),
        ("highest_wh", pa.int32()),
        ("usual", _WH),
    ]
)
VALIDATED: Final = pa.schema(
    [
        ("day", pa.date32()),
        ("bucket", pa.int32()),
        ("meter", pa.string()),
        ("run", pa.int64()),
        ("slots", pa.int16()),
        ("flags", pa.int32()),
        ("wh", _WH),
        ("estimated", pa.binary()),
        ("total_wh", pa.int64()),
        ("open_wh", pa.int64()),
        ("close_wh", pa.int64()),
        ("parameters", pa.string()),
    ]
)
SCHEMAS: Final[Mapping[str, pa.Schema]] = {"interval": INTERVAL, "facts": FACTS, "validated": VALIDATED}

# Values are mostly small and alike: a light code over plain pages reads fastest. Whoever asks for one meter of a
# bucket reads one group of rows where they lie by meter, as validated rows do.
_GROUP: Final = 1_024
_READERS: Final = 4
"""Files that one question reads at once."""
WRITER: Final = WriterProperties(compression="ZSTD", compression_level=1, max_row_group_size=_GROUP)


class LakeUnknown(Refusal):
    """There is no lake at this address, or it cannot be read."""

    code = "lake_unknown"
    exit_code = ENVIRONMENT
    hi = "{uri} पर पठन-भंडार नहीं है: `bahal lake make` चलाएँ।"
    en = "There is no lake at {uri}: run `bahal lake make`."


class LakeThere(Refusal):
    """A lake is made once."""

    code = "lake_there"
    exit_code = REFUSED
    hi = "{uri} पर पठन-भंडार पहले से है।"
    en = "There is a lake at {uri} already."


@dataclass(frozen=True, slots=True)
class Lake:
    """An opened lake."""

    uri: str
    buckets: int

    def path(self, table: str) -> str:
        """The address of one of its tables."""
        return f"{self.uri.rstrip('/')}/{table}"

    def table(self, name: str) -> DeltaTable:
        """One of its tables as it stands now."""
        return DeltaTable(self.path(name), storage_options=storage_options(self.uri))

    def bucket_of(self, meters: Iterable[str]) -> npt.NDArray[np.int32]:
        """The bucket of each meter."""
        return np.fromiter((zlib.crc32(meter.encode()) % self.buckets for meter in meters), dtype=np.int32)

    def append(self, name: str, rows: pa.Table, *, writer: str, batch: int) -> bool:
        """Append rows once per writer and batch; whether they were new. A writer's batches only rise.

        The batch is part of the commit itself, so that a writer that was killed finds out whether it had committed.
        A list that the rows do not have is null in them; a table that was made before there was such a list gets it.
        """
        if not rows.num_rows or self.written(name, writer=writer) >= batch:
            return False
        write_deltalake(
            self.path(name),
            _whole(rows, SCHEMAS[name]),
            mode="append",
            schema_mode="merge",
            partition_by=PARTITIONS,
            writer_properties=WRITER,
            commit_properties=CommitProperties(app_transactions=[Transaction(writer, batch)]),
            storage_options=storage_options(self.uri),
        )
        return True

    def rows(
        self, name: str, *, day: date, bucket: int | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """The rows of a day as they stand now, of one bucket or of all; all columns, or the named ones.

        The files are read by their own paths, since they hold nothing but rows of their day and bucket. What a file
        has no column of is null.
        """
        files = pa.table(self.table(name).get_add_actions(flatten=True))
        chosen = pc.equal(files["partition.day"], pa.scalar(day, pa.date32()))
        if bucket is not None:
            chosen = pc.and_(chosen, pc.equal(files["partition.bucket"], bucket))
        files = files.filter(chosen)
        schema = SCHEMAS[name]
        wanted = schema if columns is None else pa.schema([schema.field(column) for column in columns])
        there = [field.name for field in wanted if field.name not in PARTITIONS]
        system, root = _files(self.path(name))
        parts = []
        for path, of_day, of_bucket in zip(
            files["path"].to_pylist(), files["partition.day"], files["partition.bucket"], strict=True
        ):
            with pq.ParquetFile(f"{root}/{unquote(path)}", filesystem=system, pre_buffer=True) as file:
                names = set(file.schema_arrow.names)
                read = file.read(columns=[name for name in there if name in names])
            for place, field in enumerate(wanted):
                if field.name in PARTITIONS:
                    value = of_day if field.name == "day" else of_bucket
                    read = read.add_column(place, field, pa.repeat(value.cast(field.type), read.num_rows))
            parts.append(_whole(read, wanted))
        return pa.concat_tables(parts) if parts else wanted.empty_table()

    def rows_of_meter(self, name: str, *, meter: str, start: date, end: date, columns: Sequence[str]) -> pa.Table:
        """One meter's rows of the days `[start, end)`, with the named columns of values.

        The table's log is read once, and of each file only the groups of rows that may hold the meter.
        """
        bucket = int(self.bucket_of([meter])[0])
        files = pa.table(self.table(name).get_add_actions(flatten=True))
        days = files["partition.day"]
        chosen = pc.and_(
            pc.greater_equal(days, pa.scalar(start, pa.date32())), pc.less(days, pa.scalar(end, pa.date32()))
        )
        files = files.filter(pc.and_(chosen, pc.equal(files["partition.bucket"], bucket)))
        schema = SCHEMAS[name]
        wanted = pa.schema([schema.field("day"), schema.field("meter"), *(schema.field(each) for each in columns)])
        system, root = _files(self.path(name))

        def read(path: str, day: pa.Scalar) -> list[pa.Table]:
            found = []
            with pq.ParquetFile(f"{root}/{unquote(path)}", filesystem=system) as file:
                names = file.schema_arrow.names
                there = ["meter", *(column for column in columns if column in names)]
                for group in _groups(file.metadata, names.index("meter"), meter):
                    rows = file.read_row_group(group, columns=there, use_threads=False)
                    mine = rows.filter(pc.equal(rows["meter"], meter))
                    if mine.num_rows:
                        of_day = pa.repeat(day.cast(pa.date32()), mine.num_rows)
                        found.append(_whole(mine.append_column("day", of_day), wanted))
            return found

        # A file is a round trip or two where the lake is far away; where it is near, Arrow works without Python's lock.
        with ThreadPoolExecutor(_READERS) as pool:
            parts = [
                each for some in pool.map(read, files["path"].to_pylist(), files["partition.day"]) for each in some
            ]
        return pa.concat_tables(parts) if parts else wanted.empty_table()

    def counts(self, name: str, *, days: Collection[date]) -> dict[date, list[int]]:
        """How many rows a table has of each of these days, bucket by bucket, by its log: no file is read."""
        files = pa.table(self.table(name).get_add_actions(flatten=True))
        found = {day: [0] * self.buckets for day in days}
        for day, bucket, rows in zip(
            files["partition.day"].to_pylist(), files["partition.bucket"].to_pylist(),
            files["num_records"].to_pylist(), strict=True,
        ):  # fmt: skip
            if day in found:
                found[day][bucket] += rows
        return found

    def written(self, name: str, *, writer: str) -> int:
        """The last batch of a writer that is in a table; -1 for none."""
        last = self.table(name).transaction_version(writer)
        return -1 if last is None else last


def make_lake(uri: str, *, buckets: int = BUCKETS) -> Lake:
    """Make an empty lake.

    :raises LakeThere: one is there.
    """
    lake = Lake(uri, buckets)
    for name, schema in SCHEMAS.items():
        if DeltaTable.is_deltatable(lake.path(name), storage_options=storage_options(uri)):
            raise LakeThere(uri=uri)
        DeltaTable.create(
            lake.path(name),
            schema,
            mode="error",
            partition_by=PARTITIONS,
            description=json.dumps({"buckets": buckets}),
            storage_options=storage_options(uri),
        )
    return lake


def open_lake(uri: str) -> Lake:
    """Open a lake.

    :raises LakeUnknown: there is none.
    """
    try:
        described = DeltaTable(f"{uri.rstrip('/')}/interval", storage_options=storage_options(uri)).metadata()
        return Lake(uri, int(json.loads(described.description or "{}")["buckets"]))
    except (TableNotFoundError, KeyError, ValueError) as failure:
        raise LakeUnknown(uri=uri) from failure


def lake_uri(home: Path) -> str:
    """Where an instance's lake is: `BAHAL_LAKE`, or a folder of its own."""
    return os.environ.get("BAHAL_LAKE") or str(home / "lake")


def storage_options(uri: str) -> dict[str, str]:
    """How an address is reached. S3 is told by the usual AWS variables; commits are conditional puts, so that two
    writers never overwrite each other."""
    if not uri.startswith("s3://"):
        return {}
    options = {"aws_conditional_put": "etag"}
    if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options["aws_allow_http"] = "true"
    return options


def _files(path: str) -> tuple[Any, str]:
    """The file system of a table and its root in it."""
    if not path.startswith("s3://"):
        return fs.LocalFileSystem(), path
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    scheme, _, host = endpoint.rpartition("://")
    told = {"endpoint_override": host, "scheme": scheme or "https"} if host else {}
    return fs.S3FileSystem(**told), path.removeprefix("s3://")


def _groups(metadata: Any, column: int, value: str) -> list[int]:
    """The groups of a file's rows that may hold a value, by their bounds; no list is before its column."""
    found = []
    for group in range(metadata.num_row_groups):
        bounds = metadata.row_group(group).column(column).statistics
        if bounds is None or not bounds.has_min_max or bounds.min <= value <= bounds.max:
            found.append(group)
    return found


def _whole(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows with all columns of a schema, in its order; lists that they do not have are null.

    :raises KeyError: another column is not there.
    """
    for field in schema:
        if field.name not in rows.column_names and pa.types.is_list(field.type):
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(schema.names).cast(schema)


def lists(values: npt.NDArray[np.int32], *, missing: int | None = None) -> pa.Array:
    """A column of lists from a grid (n, slots); cells equal to `missing` become null."""
    rows, slots = values.shape
    flat = values.reshape(-1)
    inner = pa.array(flat, mask=None if missing is None else flat == missing)
    return pa.ListArray.from_arrays(pa.array(np.arange(0, rows * slots + 1, slots, dtype=np.int32)), inner)


def grid(column: pa.Array | pa.ChunkedArray, slots: int, *, missing: int) -> npt.NDArray[np.int32]:
    """The grid (n, slots) of a column of lists; nulls, also whole lists, become `missing`.

    :raises ValueError: a list of another length.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], _WH)
    rows = len(array)
    inner = array.flatten()
    flat = inner.fill_null(missing).to_numpy(zero_copy_only=False) if inner.null_count else inner.to_numpy()
    if array.null_count:
        found = np.full((rows, slots), missing, dtype=np.int32)
        there = array.is_valid().to_numpy(zero_copy_only=False)
        if len(flat) != int(there.sum()) * slots:
            raise ValueError("lists of different lengths")
        found[there] = flat.reshape(-1, slots)
        return found
    if len(flat) != rows * slots:
        raise ValueError("lists of different lengths")
    return np.asarray(flat.reshape(rows, slots), dtype=np.int32)
