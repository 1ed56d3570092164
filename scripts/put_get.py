#!/usr/bin/env python3
"""How long a put and a get take at running super-nodes, by XML-RPC.

Each value is put at one super-node and read at the next; with one address, at the same. What was put is
removed at the end.

    python3 scripts/put_get.py http://192.0.2.1:5851 http://192.0.2.2:5851
"""

import os
import sys
import time
import xmlrpc.client
from http.client import HTTPException

from latency import Pace, Series, options, positive, report

# A value lives a little longer than the run that put it, should that be cut short.
TTL_S = 3600
# What first makes connections is not what is measured.
WARM_UP = 5


class Timed(xmlrpc.client.Transport):
    """One connection that is kept, with a limit for each answer."""

    def __init__(self, timeout):
        super().__init__(use_builtin_types=True)
        self.timeout = timeout

    def make_connection(self, host):
        connection = super().make_connection(host)
        connection.timeout = self.timeout
        return connection


def main():
    parser = options(__doc__.split("\n")[0])
    parser.add_argument("nodes", metavar="URL", nargs="+", help="a super-node, as http://192.0.2.1:5851")
    parser.add_argument("--size", type=positive(int), default=100, help="bytes of a value [100]")
    args = parser.parse_args()
    if args.size > 65536:
        parser.error("--size: a value has at most 65536 bytes")
    nodes = []
    for url in args.nodes:
        try:
            nodes.append((url, xmlrpc.client.ServerProxy(url, transport=Timed(args.timeout)).scope))
        except OSError:
            parser.error(f"{url!r} is no URL as http://192.0.2.1:5851")
    put, get, own = Series("put"), Series("get"), Series("put, in the super-node")
    run, secret = os.urandom(8).hex(), os.urandom(16)
    done = []

    def once(number, measured):
        key, value = f"latency {run} {number}".encode(), os.urandom(args.size)
        here, there = nodes[number % len(nodes)], nodes[(number + 1) % len(nodes)]
        began = time.perf_counter()
        answer = attempt(put if measured else None, here, "put", key, value, secret, TTL_S)
        if answer is None:
            return
        if measured:
            put.add(began, time.perf_counter())
            own.add(0, answer["latency_ms"] / 1e3)
        done.append((key, value))
        began = time.perf_counter()
        values = attempt(get if measured else None, there, "get", key)
        if values is None or not measured:
            return
        if values == [value]:
            get.add(began, time.perf_counter())
        else:
            get.fail(f"{len(values)} values instead of the one that was put")

    def attempt(series, node, method, *parameters):
        url, scope = node
        try:
            return getattr(scope, method)(*parameters)
        except (xmlrpc.client.Error, HTTPException, OSError) as error:
            why = f"{url}: {told(error)}"
            if series is None:
                sys.exit(f"cannot measure: {why}")
            series.fail(why)
            return None

    for number in range(WARM_UP):
        once(-number - 1, False)
    pace = Pace(args.interval)
    for number in range(args.count):
        pace.wait()
        once(number, True)
    for key, value in done:
        try:
            nodes[0][1].remove(key, value, secret, TTL_S)
        except (xmlrpc.client.Error, HTTPException, OSError):
            break  # It goes by itself.
    return report(args, [put, own, get])


def told(error):
    if isinstance(error, xmlrpc.client.Fault):
        return f"fault {error.faultCode}: {error.faultString}"
    if isinstance(error, xmlrpc.client.ProtocolError):
        return f"{error.errcode} {error.errmsg}"
    return str(error) or type(error).__name__


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
