#!/usr/bin/env python3
"""How long it takes to set up a session: from INVITE until it rings, and until it is answered.

Callees register at one super-node, the caller calls them by another; all are phones of this script. With
one address they use the same super-node. Callees take turns, since a super-node refuses who calls one and
the same person again and again.

    python3 scripts/session_setup.py 192.0.2.1:5060 192.0.2.2:5060 --metrics http://127.0.0.1:5851
"""

import os
import sys
import threading
import time

from latency import OverlayPart, Pace, Series, options, positive, report
from sip_phone import NoAnswer, Phone, address

EXPIRES_S = 120


def main():
    parser = options(__doc__.split("\n")[0])
    parser.add_argument("caller", metavar="CALLER", help="SIP address of the caller's super-node")
    parser.add_argument("callee", metavar="CALLEE", nargs="?",
                        help="SIP address of the callee's super-node [the caller's]")
    parser.add_argument("--users", type=positive(int), default=20,
                        help="people who are called, in turns [20]")
    parser.add_argument("--metrics", metavar="URL",
                        help="the HTTP address of the caller's super-node, to tell the overlay's part")
    args = parser.parse_args()
    try:
        here, there = address(args.caller), address(args.callee or args.caller)
    except ValueError as error:
        parser.error(str(error))
    run = os.urandom(4).hex()
    callees = [Phone(f"latency-{run}-{number}", there) for number in range(min(args.users, args.count))]
    caller = Phone(f"latency-{run}-caller", here)
    ringing, answered, ended = Series("until it rings"), Series("until it is answered"), Series("hanging up")

    def register(phone):
        try:
            phone.register(EXPIRES_S, args.timeout)
        except (NoAnswer, OSError) as error:
            sys.exit(f"the callee cannot register at {args.callee or args.caller}: {error}")
        registered[phone] = time.monotonic()

    registered = {}
    for phone in callees:
        register(phone)
    part = OverlayPart(args.metrics, "scope_sip_setup_overlay_seconds")
    pace = Pace(args.interval)
    for number in range(args.count):
        callee = callees[number % len(callees)]
        # Between its calls, when nobody rings it.
        if time.monotonic() - registered[callee] > EXPIRES_S / 2:
            register(callee)
        pace.wait()
        stop = threading.Event()
        answers = threading.Thread(target=serve, args=(callee, stop))
        answers.start()
        try:
            once(caller, callee.user, args.timeout, ringing, answered, ended)
        finally:
            stop.set()
            answers.join()
    mean_ms = part.mean_ms()
    for phone in callees:
        try:
            phone.register(0, args.timeout)
        except (NoAnswer, OSError):
            break  # It lapses by itself.
    return report(args, [ringing, answered, ended], [(ringing, mean_ms)])


def serve(phone, stop):
    while not stop.is_set():
        phone.serve(0.02)


def once(caller, callee, timeout, ringing, answered, ended):
    began, rings = time.perf_counter(), []
    try:
        hang_up = caller.call(callee, timeout, lambda: rings.append(time.perf_counter()))
    except (NoAnswer, OSError, ValueError) as error:
        for series in (ringing, answered):
            series.fail(str(error))
        return
    answered.add(began, time.perf_counter())
    if rings:
        ringing.add(began, rings[0])
    else:
        ringing.fail("it was answered without ringing")
    began = time.perf_counter()
    try:
        hang_up()
        ended.add(began, time.perf_counter())
    except (NoAnswer, OSError) as error:
        ended.fail(str(error))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
