"""Load on a super-node that is killed again and again, and the check that nothing was lost.

Called with HOST:PORT SEED PUTS. 16 clients put PUTS values in total and remove a tenth of them
again; each tries an operation until it is acknowledged. Prints "acked N" as puts are acknowledged,
"loaded" when all are, then waits for a line on standard input, reads everything back, prints
"FAIL WHY" for each difference, counts, and "done".
"""

import glob
import http.client
import math
import os
import random
import socket
import sys
import threading
import time
import xmlrpc.client

SERVER, SEED, PUTS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
CLIENTS = 16
KEYS_PER_CLIENT = 200
VALUE_MAX = 65536
TTL = 86400
# A restart takes well under a second; a client that waits longer has found something.
PATIENCE_S = 60
FILE_MAX = 4 * 1024 * 1024
TROUBLE = (OSError, http.client.HTTPException)

socket.setdefaulttimeout(20)


def corpus():
    """Bytes of files any Debian machine has: programs and prose."""
    names = [os.path.realpath(sys.executable), "/bin/bash", "/bin/ls"]
    names += sorted(glob.glob("/usr/share/common-licenses/*"))
    pieces = []
    for name in names:
        try:
            with open(name, "rb") as file:
                pieces.append(file.read(FILE_MAX))
        except OSError:
            continue
    pieces = [piece for piece in pieces if piece]
    if not pieces:
        sys.exit("none of these files can be read: " + ", ".join(names))
    return pieces


class Progress:
    """Counts acknowledged puts over all clients and tells of them."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acked = 0

    def ack(self):
        with self.lock:
            self.acked += 1
            if self.acked % 20 == 0:
                print("acked %d" % self.acked, flush=True)


class Client(threading.Thread):
    """Owns its keys, so that it knows what each must hold: self.there, by (key, value, secret)."""

    def __init__(self, number, files, progress):
        super().__init__()
        self.number = number
        self.files = files
        self.progress = progress
        self.random = random.Random(SEED * 1000 + number)
        self.proxy = self.connect()
        self.there = {}
        self.puts = self.removals = self.retries = self.bytes = self.early_reads = 0
        self.failures = []

    def connect(self):
        return xmlrpc.client.ServerProxy("http://%s/RPC2" % SERVER, use_builtin_types=True)

    def run(self):
        try:
            for _ in range(PUTS // CLIENTS):
                self.put_one()
                if self.random.random() < 0.1:
                    self.remove_one()
        except Exception as error:
            self.failures.append("client %d gave up: %r" % (self.number, error))

    def until_acknowledged(self, method, *params):
        """What a try without an answer did is unknown, so it is tried again until one answers."""
        deadline = time.monotonic() + PATIENCE_S
        interrupted = False
        while True:
            try:
                got = method(self.proxy)(*params)
                break
            except TROUBLE:
                if time.monotonic() > deadline:
                    raise
                interrupted = True
                self.retries += 1
                self.proxy = self.connect()
                time.sleep(0.01)
        if interrupted and method is not GET:
            self.check_another_than(params[0])
        return got

    def check_another_than(self, busy):
        """Right after a crash, what was acknowledged before must be there already."""
        keys = sorted({key for key, _, _ in self.there} - {busy})
        if keys:
            self.early_reads += 1
            self.check(self.random.choice(keys))

    def put_one(self):
        key = b"%d/%d" % (self.number, self.random.randrange(KEYS_PER_CLIENT))
        value = self.cut()
        secret = b"secret %d" % self.number if self.random.random() < 0.5 else b""
        self.until_acknowledged(PUT, key, value, secret, TTL)
        self.there[key, value, secret] = True
        self.puts += 1
        self.bytes += len(value)
        self.progress.ack()

    def remove_one(self):
        held = sorted(identity for identity, there in self.there.items() if there)
        if held:
            key, value, secret = self.random.choice(held)
            self.until_acknowledged(REMOVE, key, value, secret, TTL)
            self.there[key, value, secret] = False
            self.removals += 1

    def cut(self):
        """A piece of a file, 1 B to 64 KiB, every order of magnitude as often."""
        size = min(VALUE_MAX, int(math.exp(self.random.uniform(0, math.log(VALUE_MAX + 1)))))
        file = self.random.choice(self.files)
        start = self.random.randrange(max(1, len(file) - size))
        return file[start:start + size]

    def check(self, key):
        """Compares what a key holds with what was acknowledged."""
        wanted = {v for (k, v, _), there in self.there.items() if k == key and there}
        got, placemark = set(), b""
        for _ in range(1000):
            page, placemark = self.until_acknowledged(GET, key, 8, placemark)
            got.update(page)
            if placemark == b"":
                break
        else:
            self.failures.append("%r: the listing does not end" % key)
        lost, risen = len(wanted - got), len(got - wanted)
        if lost:
            self.failures.append("%r: %d acknowledged values are lost" % (key, lost))
        if risen:
            self.failures.append("%r: %d values are there that should not be" % (key, risen))

    def check_all(self):
        try:
            for key in sorted({key for key, _, _ in self.there}):
                self.check(key)
        except Exception as error:
            self.failures.append("client %d cannot read back: %r" % (self.number, error))


def PUT(proxy):
    return proxy.scope.put


def REMOVE(proxy):
    return proxy.scope.remove


def GET(proxy):
    return proxy.scope.get


def main():
    files, progress = corpus(), Progress()
    clients = [Client(number, files, progress) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    print("loaded", flush=True)
    sys.stdin.readline()
    for client in clients:
        client.check_all()
    for failure in [failure for client in clients for failure in client.failures][:50]:
        print("FAIL %s" % failure)
    total = lambda name: sum(getattr(client, name) for client in clients)
    present = sum(sum(client.there.values()) for client in clients)
    print("counts %d puts (%.1f MB) and %d removals acknowledged, %d retries; "
          "%d values and %d removals read back, %d keys read right after a crash" % (
              total("puts"), total("bytes") / 1e6, total("removals"), total("retries"),
              present, sum(len(client.there) for client in clients) - present,
              total("early_reads")))
    print("done")


main()
