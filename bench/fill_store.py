#!/usr/bin/python3
"""Fills the tables of a relay with devices that enrolled, waited, failed and were refused: fill_store.py DEVICES TARGET

TARGET is the file of a SQLite database that `est-relay store init` has made, or the connection string of a PostgreSQL
database with its tables, which psql gets. Each device has an order, a certificate unless it failed, a name, and three
events of the last ninety days.
"""
import io
import os
import random
import sqlite3
import subprocess
import sys
import time

DAY = 86400
ANCHOR = "ab" * 32
BATCH = 20_000


def rows_of(number, now, number_of_devices):
    """{table: rows} of one device"""
    serial = f"device{number:07}"
    device = f"{serial}@{ANCHOR}"
    name = f"{serial}.iot.domain.com"
    # All are somewhere in the 47 days of a certificate, of which the last third is for renewal.
    begin = now - int(random.random() * 40 * DAY)
    end = begin + 47 * DAY
    state = 3 if number % 100 == 0 else 1 if number % 1000 == 1 else 2
    digest = f"{number:064x}"
    request = f"{random.getrandbits(64):016x}"
    order = (digest, state, device, serial, "", "iot.domain.com", "", 0, f"dns:{name}",
             os.urandom(400) if state != 2 else b"", f"https://ca.example/order/{number}", 0, request, begin,
             end if state == 2 else begin + 300, digest if state == 2 else "", 8 if state == 3 else 0,
             "the CA refused: rate limit" if state == 3 else "", "", 1, 0, 1)
    tables = {"orders": [order], "names": [(name, device, "iot.domain.com")], "events": [], "certificates": []}
    if state == 2:
        tables["certificates"].append((digest, f"{number + (1 << 100):034x}", device, serial, f"dns:{name}", digest,
                                       digest, begin, end, os.urandom(700), b""))
    for place, (what, outcome, cause, level, who) in enumerate([
            ("decision", "pending", "", 2, serial), ("order", "placed", "", 2, ""),
            ("decision", "issued" if state == 2 else "refused", "" if state == 2 else "internalCAError",
             2 if state == 2 else 1, serial)]):
        at = (begin * 1000 + place * 700) * 1000 + number % 1000
        tables["events"].append((at, number, level, what, outcome, cause, "", "", "est", device if who else "", who,
                                 request, "192.0.2.7", "", "", 1,
                                 '{"identifiers":["%s"],"order":"https://ca.example/order/%d"}' % (name, number)))
    return tables


COLUMNS = {
    "orders": "id, state, device, device_serial, label, domain, profile, renewal, identifiers, csr, url, unsure, "
              "request_id, created, until, certificate, why, words, owner, generation, watched, number",
    "certificates": "digest, serial, device, device_serial, identifiers, csr_digest, key_digest, not_before, "
                    "not_after, der, subject",
    "names": "name, device, domain",
    "events": "at, number, level, what, outcome, cause, words, hint, protocol, device, who, request_id, address, "
              "station, relay, times, details",
}


def into_sqlite(file):
    database = sqlite3.connect(file)
    database.execute("PRAGMA synchronous = OFF")

    def put(table, rows):
        places = ", ".join("?" * len(rows[0]))
        database.executemany(f"INSERT INTO {table} ({COLUMNS[table]}) VALUES ({places})", rows)
        database.commit()

    return put, lambda: database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def into_postgresql(target):
    def field(value):
        if isinstance(value, bytes):
            return "\\\\x" + value.hex()
        return str(value).replace("\\", "\\\\")

    def put(table, rows):
        text = io.StringIO()
        for row in rows:
            text.write("\t".join(map(field, row)) + "\n")
        subprocess.run(["psql", "-q", target, "-c", f"COPY {table} ({COLUMNS[table]}) FROM STDIN"],
                       input=text.getvalue(), text=True, check=True)

    return put, lambda: subprocess.run(["psql", "-q", target, "-c", "VACUUM ANALYZE"], check=True)


number_of_devices, target = int(sys.argv[1]), sys.argv[2]
random.seed(1)
now = int(time.time())
put, finish = into_sqlite(target) if os.path.exists(target) else into_postgresql(target)
waiting = {table: [] for table in COLUMNS}
for number in range(1, number_of_devices + 1):
    for table, rows in rows_of(number, now, number_of_devices).items():
        waiting[table] += rows
    if number % BATCH == 0 or number == number_of_devices:
        for table, rows in waiting.items():
            if rows:
                put(table, rows)
                rows.clear()
finish()
