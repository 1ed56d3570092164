"""A telephone for measurements: REGISTER, INVITE and BYE over UDP (RFC 3261), and what answers them."""

import os
import re
import socket
import time

# Until a request is sent again, and after twice that, and so on (T1 and T2, RFC 3261 section 17.1.2.1).
T1_S, T2_S = 0.5, 4.0
# How long a callee rings.
RINGS_S = 0.02
LONGEST = 65535


class NoAnswer(Exception):
    """Nobody answered in time, or not as was hoped for."""


def address(text):
    """HOST:PORT, or HOST for port 5060; an IPv6 address in brackets."""
    found = re.fullmatch(r"(?:sip:)?(\[[0-9A-Fa-f:.]+\]|[^\[\]:/]+)(?::(\d{1,5}))?", text)
    if not found or not 0 < int(found[2] or 5060) < 65536:
        raise ValueError(f"{text!r} is not HOST:PORT")
    try:
        infos = socket.getaddrinfo(found[1].strip("[]"), int(found[2] or 5060), type=socket.SOCK_DGRAM)
    except OSError as error:
        raise ValueError(f"{text}: {error}") from None
    return infos[0][4][:2]


class Message:
    """A request or a response, as far as a phone has to understand it."""

    SHORT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}

    def __init__(self, data):
        head, _, self.body = data.decode(errors="replace").partition("\r\n\r\n")
        self.first, *lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        self.fields = []
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            self.fields.append((self.SHORT.get(name, name), value.strip()))

    @property
    def status(self):
        found = re.match(r"SIP/2\.0 (\d{3}) ", self.first)
        return int(found[1]) if found else None

    @property
    def method(self):
        return None if self.status else self.first.split(" ")[0]

    def all(self, name):
        return [value for field, value in self.fields if field == name]

    def one(self, name):
        values = self.all(name)
        return values[0] if values else ""


class Phone:
    """A user at one super-node, with a socket of its own."""

    def __init__(self, user, node):
        self.user, self.node = user, node
        family = socket.AF_INET6 if ":" in node[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        probe = socket.socket(family, socket.SOCK_DGRAM)
        probe.connect(node)
        self.socket.bind((probe.getsockname()[0], 0))
        probe.close()
        host, port = self.socket.getsockname()[:2]
        self.here = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.aor = f"sip:{user}@scope"
        self.call_id, self.sequence = token(), 0

    def close(self):
        self.socket.close()

    def contact(self):
        return f"<sip:{self.user}@{self.here}>"

    def register(self, expires, timeout):
        """Returns when the super-node has taken it (200)."""
        self.sequence += 1
        lines = [f"REGISTER sip:scope SIP/2.0", self.via(), f"From: <{self.aor}>;tag={token()}",
                 f"To: <{self.aor}>", f"Call-ID: {self.call_id}", f"CSeq: {self.sequence} REGISTER",
                 f"Contact: {self.contact()}", f"Expires: {expires}"]
        answer = self.ask(lines, "REGISTER", timeout, self.node)
        if answer.status != 200:
            raise NoAnswer(f"REGISTER is answered by {answer.first[8:]}")

    def call(self, callee, timeout, rang):
        """Calls, tells `rang` when it rings, and returns a function that hangs up once it is answered."""
        call_id, sender = token(), f"<{self.aor}>;tag={token()}"
        to, via = f"<sip:{callee}@scope>", self.via()
        body = (f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                f"m=audio {self.here.rsplit(':', 1)[1]} RTP/AVP 0\r\n")
        lines = [f"INVITE sip:{callee}@scope SIP/2.0", via, f"From: {sender}", f"To: {to}",
                 f"Call-ID: {call_id}", "CSeq: 1 INVITE", f"Contact: {self.contact()}",
                 "Content-Type: application/sdp"]

        def provisional(answer):
            if answer.status in (180, 183):
                rang()

        answer = self.ask(lines, "INVITE", timeout, self.node, body, provisional)
        if answer.status >= 300:
            ack = [f"ACK sip:{callee}@scope SIP/2.0", via, f"From: {sender}", f"To: {answer.one('to')}",
                   f"Call-ID: {call_id}", "CSeq: 1 ACK"]
            self.send(ack, self.node)
            raise NoAnswer(f"INVITE is answered by {answer.first[8:]}")
        to, routes = answer.one("to"), []
        for value in answer.all("record-route"):
            routes += [route.strip() for route in re.split(r",(?![^<]*>)", value)]
        routes.reverse()
        target = uri(answer.one("contact"))
        # What is next on the way: the first route, else the one who answered.
        hop = address(re.sub(r"^sips?:(?:[^@]*@)?|[;?].*$", "", uri(routes[0]) if routes else target))

        def within(method, number):
            return ([f"{method} {target} SIP/2.0", self.via()] + [f"Route: {route}" for route in routes]
                    + [f"From: {sender}", f"To: {to}", f"Call-ID: {call_id}", f"CSeq: {number} {method}"])

        self.send(within("ACK", 1), hop)

        def hang_up():
            answer = self.ask(within("BYE", 2), "BYE", timeout, hop)
            if answer.status != 200:
                raise NoAnswer(f"BYE is answered by {answer.first[8:]}")

        return hang_up

    def serve(self, seconds):
        """Answers for so long: rings and takes each call, and lets others hang up."""
        ends = time.monotonic() + seconds
        while (message := self.hear(ends)) is not None:
            if message.method == "INVITE":
                self.reply(message, "180 Ringing")
                # Datagrams may overtake each other: who rings and answers at once may not be heard ringing.
                time.sleep(RINGS_S)
                self.reply(message, "200 OK", body=message.body)
            elif message.method not in (None, "ACK"):
                self.reply(message, "200 OK")

    def via(self):
        return f"Via: SIP/2.0/UDP {self.here};branch=z9hG4bK{token()};rport"

    def ask(self, lines, method, timeout, to, body="", provisional=lambda answer: None):
        """Sends a request, again as long as nothing is heard, and returns the final response."""
        branch = re.search(r"branch=([^;]+)", " ".join(lines))[1]
        ends, wait, heard = time.monotonic() + timeout, T1_S, False
        while time.monotonic() < ends:
            if not heard:
                self.send(lines, to, body)
            until = min(ends, time.monotonic() + wait)
            while (answer := self.hear(until)) is not None:
                if answer.status is None or f"branch={branch}" not in answer.one("via"):
                    continue
                if answer.status >= 200:
                    return answer
                # An INVITE somebody is at work on is not sent again.
                heard = method == "INVITE"
                provisional(answer)
            wait = min(2 * wait, T2_S)
        raise NoAnswer(f"{method} is not answered within {timeout:g} s")

    def send(self, lines, to, body=""):
        head = "\r\n".join([*lines, "Max-Forwards: 70", f"Content-Length: {len(body)}"])
        self.socket.sendto(f"{head}\r\n\r\n{body}".encode(), to)

    def reply(self, request, status, body=""):
        names = {"via": "Via", "record-route": "Record-Route", "from": "From", "call-id": "Call-ID",
                 "cseq": "CSeq"}
        lines = [f"SIP/2.0 {status}"]
        lines += [f"{names[name]}: {value}" for name, value in request.fields if name in names]
        to = request.one("to")
        lines.append(f"To: {to}" if "tag=" in to else f"To: {to};tag=answered")
        lines.append(f"Contact: {self.contact()}")
        if body:
            lines.append("Content-Type: application/sdp")
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}"])
        self.socket.sendto(f"{head}\r\n\r\n{body}".encode(), request.sender)

    def hear(self, until):
        """The next message, or None when time is up."""
        while (left := until - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data, sender = self.socket.recvfrom(LONGEST)
            except TimeoutError:
                return None
            except ConnectionError:
                continue  # Somebody's port is closed; whoever asks finds out by the time.
            if data.strip():
                message = Message(data)
                message.sender = sender[:2]
                return message
        return None


def uri(value):
    found = re.search(r"<([^>]*)>", value)
    return found[1] if found else value.split(";")[0].strip()


def token():
    return os.urandom(8).hex()
