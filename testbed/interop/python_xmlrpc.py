"""A super-node seen by Python's own XML-RPC client.

Called with HOST:PORT. Prints "ok WHAT" or "FAIL WHAT: WHY" for each check, "done" at the end.
"""

import hashlib
import http.client
import os
import sys
import xmlrpc.client
from xmlrpc.client import Binary, Fault, ServerProxy

SERVER = sys.argv[1]
URL = "http://%s/RPC2" % SERVER
CHECKS = []

PARSE, BAD_PARAMETERS, TOO_LARGE, OVER_CAPACITY, NO_QUORUM, UNKNOWN, WRONG_SECRET = range(1, 8)


def check(function):
    CHECKS.append(function)
    return function


def proxy(url=URL, builtin=True):
    return ServerProxy(url, use_builtin_types=builtin, allow_none=False)


def expect_fault(code, call, *params):
    try:
        got = call(*params)
    except Fault as fault:
        assert fault.faultCode == code, "fault %d (%s) instead of %d" % (
            fault.faultCode, fault.faultString, code)
        return fault.faultString
    raise AssertionError("%r instead of fault %d" % (got, code))


def raw_post(body, path="/RPC2", connection=None):
    connection = connection or http.client.HTTPConnection(SERVER, timeout=20)
    connection.request("POST", path, body, {"Content-Type": "text/xml"})
    response = connection.getresponse()
    return response.status, response.read()


def raw_fault(body):
    status, reply = raw_post(body)
    assert status == 200, "HTTP status %d" % status
    try:
        got = xmlrpc.client.loads(reply)
    except Fault as fault:
        return fault.faultCode
    raise AssertionError("%r instead of a fault" % (got,))


@check
def put_says_how_many_copies_there_are_and_how_long_it_took():
    got = proxy().scope.put("copies", b"v", "", 60)
    assert got["replicas"] == 1, got
    assert isinstance(got["latency_ms"], float) and got["latency_ms"] >= 0, got


@check
def what_is_put_is_got_with_builtin_types():
    node = proxy()
    node.scope.put(b"builtin", b"\x00\xffvalue", b"", 60)
    assert node.scope.get(b"builtin") == [b"\x00\xffvalue"]


@check
def what_is_put_is_got_with_binary_objects():
    node = proxy(builtin=False)
    node.scope.put(Binary(b"binary"), Binary(b"\x00\xffvalue"), Binary(b""), 60)
    got = node.scope.get(Binary(b"binary"))
    assert got == [Binary(b"\x00\xffvalue")], got
    assert isinstance(got[0], Binary)


@check
def strings_and_base64_are_the_same():
    node = proxy()
    node.scope.put("same", "text", "s", 60)
    assert node.scope.get(b"same") == [b"text"]
    assert node.scope.remove(b"same", b"text", b"s", 60) == 1
    assert node.scope.get("same") == []


@check
def letters_beyond_ascii_are_kept_as_utf_8():
    node = proxy()
    key, value = "schl\u00fcssel \u9375 \U0001f511", "gr\u00f6\u00dfe <&> \u5024"
    node.scope.put(key, value, "geheim\u00e9", 60)
    assert node.scope.get(key.encode()) == [value.encode()]
    assert node.scope.remove(key, value, "geheim\u00e9".encode(), 60) == 1


@check
def an_unknown_key_has_no_values():
    assert proxy().scope.get("nobody put this") == []


@check
def values_of_all_sizes_come_back_whole():
    node = proxy()
    for size in (0, 1, 57, 58, 1000, 65536):
        value = os.urandom(size)
        node.scope.put("size %d" % size, value, "", 60)
        assert node.scope.get("size %d" % size) == [value], size


@check
def a_key_may_have_1024_bytes():
    node = proxy()
    node.scope.put(b"k" * 1024, b"v", "", 60)
    assert node.scope.get(b"k" * 1024) == [b"v"]
    assert node.scope.put(b"", b"v", "", 60)["replicas"] == 1, "the empty key is a key"


@check
def a_key_holds_many_values():
    node = proxy()
    for i in range(20):
        node.scope.put("many", b"%d" % i, "", 60)
    assert sorted(node.scope.get("many")) == sorted(b"%d" % i for i in range(20))


@check
def putting_the_same_again_keeps_one():
    node = proxy()
    for _ in range(3):
        node.scope.put("again", b"v", "", 60)
    assert node.scope.get("again") == [b"v"]


@check
def pages_hold_every_value_once():
    node = proxy()
    values = {b"%03d" % i * 20 for i in range(50)}
    for value in values:
        node.scope.put("pages", value, "", 60)
    seen, placemark, pages = [], b"", 0
    for _ in range(100):
        page, placemark = node.scope.get("pages", 7, placemark)
        assert 1 <= len(page) <= 7, len(page)
        assert isinstance(placemark, bytes)
        seen += page
        pages += 1
        if placemark == b"":
            break
    assert placemark == b"", "the listing does not end"
    assert pages >= 8, pages
    assert len(seen) == 50 and set(seen) == values


@check
def a_page_may_hold_all():
    node = proxy()
    node.scope.put("one page", b"v", "", 60)
    assert node.scope.get("one page", 10) == [[b"v"], b""]
    assert node.scope.get("no page", 10) == [[], b""]


@check
def what_needs_no_secret_is_removed_without_one():
    node = proxy()
    node.scope.put("open", b"v", "", 60)
    assert node.scope.remove("open", b"v", "", 60) == 1
    assert node.scope.get("open") == []
    assert node.scope.remove("open", b"v", "", 60) == 0, "removed twice"


@check
def the_right_secret_removes():
    node = proxy()
    node.scope.put("guarded", b"v", "right", 60)
    assert node.scope.remove("guarded", b"v", "right", 60) == 1
    assert node.scope.get("guarded") == []


@check
def the_wrong_secret_and_none_are_refused_and_remove_nothing():
    node = proxy()
    node.scope.put("kept", b"v", "right", 60)
    expect_fault(WRONG_SECRET, node.scope.remove, "kept", b"v", "wrong", 60)
    expect_fault(WRONG_SECRET, node.scope.remove, "kept", b"v", "", 60)
    assert node.scope.get("kept") == [b"v"]


@check
def removing_what_is_not_there_is_0():
    assert proxy().scope.remove("nowhere", b"v", "secret", 60) == 0


@check
def putting_after_removing_works():
    node = proxy()
    for _ in range(3):
        node.scope.put("phoenix", b"v", "s", 60)
        assert node.scope.get("phoenix") == [b"v"]
        assert node.scope.remove("phoenix", b"v", "s", 60) == 1
        assert node.scope.get("phoenix") == []


@check
def a_ttl_is_an_i4():
    body = xmlrpc.client.dumps(("i4", "v", "", 60), "scope.put")
    assert "<int>60</int>" in body
    status, reply = raw_post(body.replace("<int>60</int>", "<i4>60</i4>"))
    assert status == 200 and xmlrpc.client.loads(reply)[0][0]["replicas"] == 1
    assert proxy().scope.get("i4") == [b"v"]


@check
def a_value_ends_with_its_ttl():
    import time
    node = proxy()
    node.scope.put("short", b"v", "", 1)
    assert node.scope.get("short") == [b"v"]
    time.sleep(1.5)
    assert node.scope.get("short") == []


@check
def introspection_lists_every_method_with_signature_and_help():
    node = proxy()
    names = node.system.listMethods()
    wanted = {"scope.put", "scope.get", "scope.remove", "put", "put_removable", "get",
              "get_details", "rm", "system.listMethods", "system.methodSignature",
              "system.methodHelp"}
    assert wanted <= set(names), wanted - set(names)
    for name in names:
        signatures = node.system.methodSignature(name)
        assert isinstance(signatures, list) and signatures, name
        for signature in signatures:
            assert signature and all(isinstance(word, str) for word in signature), name
        assert len(node.system.methodHelp(name)) > 10, name
    expect_fault(UNKNOWN, node.system.methodHelp, "no.such.method")


@check
def both_paths_answer():
    for path in ("/", "/RPC2"):
        node = proxy("http://%s%s" % (SERVER, path))
        node.scope.put("path", path.encode(), "", 60)
    assert sorted(proxy().scope.get("path")) == [b"/", b"/RPC2"]


@check
def one_connection_serves_many_calls():
    connection = http.client.HTTPConnection(SERVER, timeout=20)
    connection.connect()
    socket = connection.sock
    for i in range(20):
        body = xmlrpc.client.dumps(("keep alive", b"%d" % i, "", 60), "scope.put")
        status, _ = raw_post(body, connection=connection)
        assert status == 200
        assert connection.sock is socket, "closed after %d calls" % (i + 1)


@check
def wrapped_base64_is_one_value():
    value = os.urandom(5000)
    body = xmlrpc.client.dumps(("wrapped", value, "", 60), "scope.put")
    assert body.count("\n") > 60, "Python wraps base64"
    status, _ = raw_post(body)
    assert status == 200
    assert proxy().scope.get("wrapped") == [value]


@check
def chunked_bodies_are_read():
    body = xmlrpc.client.dumps(("chunked", b"v" * 3000, "", 60), "scope.put").encode()
    connection = http.client.HTTPConnection(SERVER, timeout=20)
    pieces = (body[i:i + 1000] for i in range(0, len(body), 1000))
    connection.request("POST", "/RPC2", pieces, {"Content-Type": "text/xml"},
                       encode_chunked=True)
    assert connection.getresponse().status == 200
    assert proxy().scope.get("chunked") == [b"v" * 3000]


@check
def opendht_calls_work_from_python():
    node = proxy()
    value, secret = b"dht value", b"dht secret"
    digest = hashlib.sha1(value).digest()
    tag = hashlib.sha1(secret).digest()
    assert node.put(b"dht", b"plain", 60, "test") == 0
    assert node.put_removable(b"dht", value, "SHA", tag, 60, "test") == 0
    assert sorted(node.get(b"dht", 10, b"", "test")[0]) == [value, b"plain"]
    assert node.rm(b"dht", digest, "SHA", secret, 60, "test") == 0
    assert node.get(b"dht", 10, b"", "test") == [[b"plain"], b""]


@check
def both_doors_open_to_one_room():
    node = proxy()
    node.put(b"room", b"by put", 60, "test")
    node.scope.put("room", b"by scope.put", "", 60)
    assert sorted(node.scope.get("room")) == [b"by put", b"by scope.put"]
    assert sorted(node.get(b"room", 10, b"", "test")[0]) == [b"by put", b"by scope.put"]


@check
def fault_1_is_a_body_that_cannot_be_parsed():
    good = xmlrpc.client.dumps(("k",), "scope.get")
    for body in ("", "hello", "<methodCall>", good[:-20], good.replace("</string>", ""),
                 "<a/>", good.replace("string", "strong")):
        code = raw_fault(body)
        assert code == PARSE, "fault %d for %r" % (code, body[:60])


@check
def fault_2_is_a_wrong_parameter_and_names_it():
    node = proxy()
    expect_fault(BAD_PARAMETERS, node.scope.put)
    expect_fault(BAD_PARAMETERS, node.scope.put, "key only")
    expect_fault(BAD_PARAMETERS, node.scope.put, "k", "v", "", 60, "service", "one too many")
    expect_fault(BAD_PARAMETERS, node.scope.get)
    for ttl in (0, -1, 604801):
        text = expect_fault(BAD_PARAMETERS, node.scope.put, "k", "v", "", ttl)
        assert "ttl" in text, text
    text = expect_fault(BAD_PARAMETERS, node.scope.put, "k", "v", "", "soon")
    assert "ttl" in text, text
    text = expect_fault(BAD_PARAMETERS, node.scope.put, 5, "v", "", 60)
    assert "key" in text, text
    text = expect_fault(BAD_PARAMETERS, node.scope.put, "k", ["v"], "", 60)
    assert "value" in text, text
    text = expect_fault(BAD_PARAMETERS, node.scope.put, "k", "v", {}, 60)
    assert "secret" in text, text
    expect_fault(BAD_PARAMETERS, node.scope.get, "k", 0)
    expect_fault(BAD_PARAMETERS, node.scope.get, "k", 10, b"not a placemark")


@check
def fault_3_is_too_large_and_names_the_limit():
    node = proxy()
    text = expect_fault(TOO_LARGE, node.scope.put, "k", b"v" * 65537, "", 60)
    assert "value" in text and "65536" in text, text
    text = expect_fault(TOO_LARGE, node.scope.put, b"k" * 1025, b"v", "", 60)
    assert "key" in text and "1024" in text, text
    text = expect_fault(TOO_LARGE, node.scope.put, "k", b"v", b"s" * 41, 60)
    assert "secret" in text and "40" in text, text


@check
def fault_3_is_a_reply_that_must_be_paged():
    node = proxy()
    values = {os.urandom(65536) for _ in range(20)}
    for value in values:
        node.scope.put("megabytes", value, "", 60)
    expect_fault(TOO_LARGE, node.scope.get, "megabytes")
    seen, placemark = set(), b""
    for _ in range(50):
        page, placemark = node.scope.get("megabytes", 10, placemark)
        seen.update(page)
        if placemark == b"":
            break
    assert seen == values


@check
def fault_4_is_more_than_a_key_may_hold():
    node = proxy()
    for i in range(1024):
        node.scope.put("crowd", b"%d" % i, "", 60)
    expect_fault(OVER_CAPACITY, node.scope.put, "crowd", b"1024", "", 60)
    assert node.put(b"crowd", b"1024", 60, "test") == 1, "OpenDHT's over capacity"
    assert len(node.scope.get("crowd")) == 1024
    assert node.scope.put("crowd", b"7", "", 60)["replicas"] == 1, "a refresh takes no room"


@check
def fault_4_is_more_bytes_than_a_key_may_hold():
    node = proxy()
    for i in range(64):
        node.scope.put("weight", b"%02d" % i + b"x" * 65534, "", 60)
    expect_fault(OVER_CAPACITY, node.scope.put, "weight", b"one more", "", 60)


@check
def fault_6_is_an_unknown_method():
    node = proxy()
    expect_fault(UNKNOWN, node.nope)
    expect_fault(UNKNOWN, node.scope.nope, 1, 2)
    expect_fault(UNKNOWN, node.system.nope)


@check
def a_fault_does_not_repeat_what_was_sent():
    node = proxy()
    text = expect_fault(TOO_LARGE, node.scope.put, "k", "verysecretvalue" * 5000, "", 60)
    assert "verysecretvalue" not in text
    text = expect_fault(BAD_PARAMETERS, node.scope.put, "k", ["verysecretvalue"], "", 60)
    assert "verysecretvalue" not in text


@check
def a_service_is_offered_found_and_withdrawn():
    node = proxy()
    assert node.scope.advertise("BOARD", "169.254.3.1:5061", 60) == 1
    assert "BOARD" in node.scope.services()
    assert node.scope.lookup("BOARD") == ["169.254.3.1:5061"]
    assert node.scope.lookup(b"BOARD", 10) == [["169.254.3.1:5061"], b""]
    assert node.scope.withdraw("BOARD", "169.254.3.1:5061") == 1
    assert node.scope.lookup("BOARD") == []
    assert node.scope.withdraw("BOARD", "169.254.3.1:5061") == 0


@check
def services_are_got_and_offered_by_raw_calls_too():
    node = proxy()
    node.scope.advertise("RAWCALLS", "169.254.3.1:5061", 60)
    assert b"RAWCALLS" in node.scope.get("service-list")
    assert node.scope.get("RAWCALLS") == [b"169.254.3.1:5061"]
    assert node.put(b"RAWCALLS", b"169.254.3.2:5061", 60, "test") == 0
    node.scope.put("RAWCALLS", "not a contact", "", 60)
    assert sorted(node.scope.lookup("RAWCALLS")) == ["169.254.3.1:5061", "169.254.3.2:5061"]
    expect_fault(WRONG_SECRET, node.scope.withdraw, "RAWCALLS", "169.254.3.2:5061")


@check
def providers_come_in_pages():
    node = proxy()
    for port in range(1, 31):
        node.scope.advertise("PAGES", "laptop.local:%d" % port, 60)
    seen, placemark = [], b""
    for _ in range(50):
        page, placemark = node.scope.lookup("PAGES", 8, placemark)
        assert len(page) <= 8
        seen += page
        if placemark == b"":
            break
    assert len(seen) == len(set(seen)) == 30, seen


@check
def a_services_own_key_has_room_for_256():
    node = proxy()
    node.scope.advertise("CROWD", "laptop.local:1", 60)
    for port in range(2, 257):
        node.scope.put("CROWD", "laptop.local:%d" % port, "", 60)
    text = expect_fault(OVER_CAPACITY, node.scope.put, "CROWD", "laptop.local:257", "", 60)
    assert "256" in text, text
    assert node.put(b"CROWD", b"laptop.local:257", 60, "test") == 1, "OpenDHT's over capacity"
    assert node.scope.advertise("CROWD", "laptop.local:257", 60) == 1
    page, placemark = node.scope.lookup("CROWD", 256)
    rest, placemark = node.scope.lookup("CROWD", 256, placemark)
    assert len(page) == 256 and rest == ["laptop.local:257"] and placemark == b""


@check
def a_key_of_a_service_is_no_other_services():
    node = proxy()
    for service in ("ALPHA", "BETA"):
        node.scope.put("shared", service, "", 60, service)
    assert node.scope.get("shared") == []
    assert node.scope.get("shared", 9, b"", "ALPHA") == [[b"ALPHA"], b""]
    values, cursor = node.scope.watch("shared", b"", 0, "BETA")
    assert values == [b"BETA"] and len(cursor) == 16
    assert node.scope.remove("shared", "ALPHA", "", 60, "BETA") == 0
    assert node.scope.remove("shared", "ALPHA", "", 60, "ALPHA") == 1


@check
def bad_services_and_contacts_are_refused():
    node = proxy()
    node.scope.advertise("COPA", "laptop.local:1", 60)
    for service, code in (
            ("", BAD_PARAMETERS), ("x" * 65, TOO_LARGE), (b"\xff", BAD_PARAMETERS),
            ("two words", BAD_PARAMETERS), ("P2P\u0421IP", BAD_PARAMETERS),
            ("\u0421\u041e\u0420\u0410", BAD_PARAMETERS)):
        expect_fault(code, node.scope.advertise, service, "laptop.local:1", 60)
    for contact in ("", "laptop", "laptop:0", "laptop:65536", "::1:80", "a b:1", "http://a:1/"):
        expect_fault(BAD_PARAMETERS, node.scope.advertise, "COPA", contact, 60)
        expect_fault(BAD_PARAMETERS, node.scope.withdraw, "COPA", contact)
    expect_fault(BAD_PARAMETERS, node.scope.lookup, "COPA", 0)
    expect_fault(BAD_PARAMETERS, node.scope.lookup, "COPA", 1, b"nonsense")


def main():
    for function in CHECKS:
        what = function.__name__.replace("_", " ")
        try:
            function()
        except Exception as error:
            why = "%s: %s" % (type(error).__name__, error)
            print("FAIL %s: %s" % (what, " ".join(why.split())[:300]))
        else:
            print("ok %s" % what)
    print("done")


main()
