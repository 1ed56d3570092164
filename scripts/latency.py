"""What the latency scripts have in common: samples, tables, and a super-node's own times."""

import argparse
import csv
import json
import re
import statistics
import sys
import time
import urllib.error
import urllib.request


class Series:
    """Times of one kind of operation, in milliseconds, and what failed."""

    def __init__(self, name):
        self.name = name
        self.samples = []  # (seconds since 1970, milliseconds; None for a failure)
        self.failures = {}

    def add(self, began, ended):
        """Takes two readings of time.perf_counter()."""
        self.samples.append((time.time(), (ended - began) * 1e3))

    def fail(self, why):
        self.samples.append((time.time(), None))
        self.failures[why] = self.failures.get(why, 0) + 1

    def times(self):
        return sorted(ms for _, ms in self.samples if ms is not None)

    def summary(self):
        times = self.times()
        row = {"what": self.name, "count": len(times), "failed": len(self.samples) - len(times)}
        if times:
            row["mean_ms"] = statistics.fmean(times)
            row["sd_ms"] = statistics.stdev(times) if len(times) > 1 else 0.0
            for percent in (50, 95, 99):
                row[f"p{percent}_ms"] = percentile(times, percent)
            row["max_ms"] = times[-1]
        return row


def percentile(ordered, percent):
    """The nearest rank: one of the samples, never something between two."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(rank, 1) - 1]


class Pace:
    """Begins one operation each `interval` seconds, however long the last one took."""

    def __init__(self, interval):
        self.interval = interval
        self.next = time.monotonic()

    def wait(self):
        pause = self.next - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        # After a stall the lost operations are not made up for in a burst.
        self.next = max(self.next + self.interval, time.monotonic())


class OverlayPart:
    """The mean of a super-node's own histogram over the time of a run: what the overlay took of it."""

    def __init__(self, url, metric):
        self.url, self.metric = url, metric
        self.before = self.read() if url else None

    def read(self):
        try:
            with urllib.request.urlopen(f"{self.url.rstrip('/')}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, OSError) as error:
            sys.exit(f"cannot read {self.url}/metrics: {error}. A super-node shows it to its own machine "
                     "only, unless it runs with --public-metrics")
        found = dict(re.findall(rf"^{self.metric}_(sum|count) (\S+)$", text, re.MULTILINE))
        return float(found.get("sum", 0)), int(float(found.get("count", 0)))

    def mean_ms(self):
        if self.before is None:
            return None
        (sum_before, count_before), (sum_after, count_after) = self.before, self.read()
        if count_after == count_before:
            return None
        return (sum_after - sum_before) / (count_after - count_before) * 1e3


def options(about):
    """The options all scripts know."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--count", type=positive(int), default=200, help="operations of each kind [200]")
    parser.add_argument("--interval", type=positive(float), default=0.1,
                        help="seconds from one operation's begin to the next one's [0.1]")
    parser.add_argument("--timeout", type=positive(float), default=10,
                        help="seconds until an operation has failed [10]")
    parser.add_argument("--csv", metavar="FILE", help="also write each sample to this file")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return parser


def positive(kind):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if not 0 < value < 1e9:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value
    return parse


def report(args, series, parts=()):
    """Prints a table, or JSON, and writes the samples; the exit status says whether all went well.

    `parts` are pairs of a series and what the overlay took of it on average, or None.
    """
    rows = [one.summary() for one in series]
    shares = [{"of": one.name, "mean_ms": ms, "percent": ms / one.summary()["mean_ms"] * 100}
              for one, ms in parts if ms is not None and one.times()]
    if args.csv:
        with open(args.csv, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["what", "time_s", "ms"])
            for one in series:
                for at, ms in one.samples:
                    writer.writerow([one.name, f"{at:.6f}", "" if ms is None else f"{ms:.3f}"])
    if args.json:
        print(json.dumps({"series": rows, "overlay": shares}))
    else:
        columns = ["what", "count", "failed", "mean_ms", "sd_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms"]
        print("".join(f"{name:>10}" if at else f"{name:24}" for at, name in enumerate(columns)))
        for row in rows:
            cells = [row.get(name, "-") for name in columns]
            print("".join(cell(value, at) for at, value in enumerate(cells)))
        for share in shares:
            print(f"the overlay's part of {share['of']}: {share['mean_ms']:.2f} ms on average, "
                  f"{share['percent']:.1f} %")
        for one in series:
            for why, times in one.failures.items():
                print(f"{one.name}: {times} failed: {why}", file=sys.stderr)
    return 1 if any(row["failed"] for row in rows) else 0


def cell(value, at):
    if at == 0:
        return f"{value:24}"
    return f"{value:>10.2f}" if isinstance(value, float) else f"{value:>10}"
