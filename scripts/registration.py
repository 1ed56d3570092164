#!/usr/bin/env python3
"""How long a registration takes at a running super-node: from REGISTER to its 200, by SIP over UDP.

    python3 scripts/registration.py 192.0.2.1:5060 --metrics http://127.0.0.1:5851
"""

import os
import sys
import time

from latency import OverlayPart, Pace, Series, options, positive, report
from sip_phone import NoAnswer, Phone, address

EXPIRES_S = 120


def main():
    parser = options(__doc__.split("\n")[0])
    parser.add_argument("node", metavar="HOST:PORT", help="a super-node's SIP address")
    parser.add_argument("--users", type=positive(int), default=20,
                        help="people who register, in turns [20]")
    parser.add_argument("--metrics", metavar="URL",
                        help="the super-node's HTTP address, to tell the overlay's part")
    args = parser.parse_args()
    try:
        node = address(args.node)
    except ValueError as error:
        parser.error(str(error))
    part = OverlayPart(args.metrics, "scope_sip_registration_overlay_seconds")
    run = os.urandom(4).hex()
    phones = [Phone(f"latency-{run}-{number}", node) for number in range(args.users)]
    registration = Series("registration")
    pace = Pace(args.interval)
    for number in range(args.count):
        pace.wait()
        began = time.perf_counter()
        try:
            phones[number % len(phones)].register(EXPIRES_S, args.timeout)
            registration.add(began, time.perf_counter())
        except (NoAnswer, OSError) as error:
            registration.fail(str(error))
    mean_ms = part.mean_ms()
    for phone in phones[:args.count]:
        try:
            phone.register(0, args.timeout)
        except (NoAnswer, OSError):
            break  # It lapses by itself.
    return report(args, [registration], [(registration, mean_ms)])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
