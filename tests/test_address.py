"""URLs and names of instances, as users give them."""

from __future__ import annotations

from typing import Any

import pytest

from evolution_ws import ConfigError
from evolution_ws._address import Address, parse_address


@pytest.mark.parametrize(
    ("url", "instance", "origin", "prefix", "instances"),
    [
        pytest.param("http://h", None, "http://h", "", None, id="http"),
        pytest.param("https://h/", None, "https://h", "", None, id="slash"),
        pytest.param("  HTTPS://API.Example.com:8443/  ", None, "https://api.example.com:8443", "",
                     None, id="capitals, port, blanks"),
        pytest.param("http://[::1]:80", None, "http://[::1]:80", "", None, id="IPv6"),
        pytest.param("https://h/evo/v2", None, "https://h", "/evo/v2", None, id="prefix"),
        pytest.param("ws://h", None, "http://h", "", None, id="ws"),
        pytest.param("wss://h/sales", None, "https://h", "", ("sales",), id="instance in the path"),
        pytest.param("WSS://h/evo/sales/", None, "https://h", "/evo", ("sales",), id="and prefix"),
        pytest.param("wss://h/a%2Fb%20%C3%A7", None, "https://h", "", ("a/b ç",), id="encoded"),
        pytest.param("wss://h/evo", "sales", "https://h", "/evo", ("sales",), id="so prefix"),
        pytest.param("wss://h/evo", "*", "https://h", "/evo", None, id="all, so prefix"),
        pytest.param("wss://h/*", None, "https://h", "", None, id="all in the path"),
        pytest.param("http://h/sales", None, "http://h", "/sales", None, id="http names nothing"),
        pytest.param("http://h", "sales", "http://h", "", ("sales",), id="one"),
        pytest.param("http://h", ["b", "a", "b"], "http://h", "", ("b", "a"), id="several"),
        pytest.param("http://h", iter(["a"]), "http://h", "", ("a",), id="iterator"),
    ],
)  # fmt: skip
def test_an_address_is_taken_apart(
    url: str, instance: Any, origin: str, prefix: str, instances: tuple[str, ...] | None
) -> None:
    """Origin, prefix and instances are told apart as Evolution's documentation has them."""
    address = parse_address(url, instance)

    assert (address.origin, address.prefix, address.instances) == (origin, prefix, instances)
    assert address.api_key is None


def test_the_places_on_a_server_follow_from_the_address() -> None:
    """REST, socket and namespaces are where a reverse proxy puts them."""
    address = parse_address("wss://h:1/evo", ["a", "b/c"])

    assert address.base_url == str(address) == "https://h:1/evo"
    assert address.socketio_path == "evo/socket.io"
    assert address.namespaces == ("/a", "/b/c")


def test_without_prefix_and_instances_the_places_are_the_usual_ones() -> None:
    """A plain server has its socket at /socket.io."""
    address = parse_address("http://h")

    assert (address.base_url, address.socketio_path) == ("http://h", "socket.io")
    assert address.namespaces == ()


@pytest.mark.parametrize(
    ("query", "key"),
    [("?apikey=k%2B1", "k+1"), ("?apikey=a&apikey=b", "b"), ("?apikey=", None), ("?", None)],
)
def test_the_key_is_moved_out_of_the_url(query: str, key: str | None) -> None:
    """It shows up neither in the address nor in its representation."""
    address = parse_address(f"wss://h/sales{query}")

    assert address.api_key == key
    assert address == Address("https://h", "", ("sales",), key)
    assert "k+1" not in repr(address) + str(address)


@pytest.mark.parametrize(
    ("url", "instance", "words"),
    [
        pytest.param("", None, "the URL is empty", id="empty"),
        pytest.param("  ", None, "the URL is empty", id="blank"),
        pytest.param(None, None, "the URL is empty", id="None"),
        pytest.param(5, None, "the URL is empty", id="number"),
        pytest.param("api.example.com", None, "has to start with http", id="no scheme"),
        pytest.param("localhost:8080", None, "has to start with http", id="host and port"),
        pytest.param("ftp://h", None, "has to start with http", id="scheme"),
        pytest.param("https://", None, "names no host", id="no host"),
        pytest.param("https:///path", None, "names no host", id="path alone"),
        pytest.param("http://h:http", None, "cannot be read", id="port"),
        pytest.param("http://h:70000", None, "cannot be read", id="large port"),
        pytest.param("http://[::1", None, "cannot be read", id="bracket"),
        pytest.param("http://a..b", None, "cannot exist", id="empty label"),
        pytest.param(f"http://{'a' * 64}.b", None, "cannot exist", id="long label"),
        pytest.param("http://u:secret@h", None, "take user and password out", id="user"),
        pytest.param("http://u:secret@ex\u2100mple", None, "cannot be read", id="user, odd host"),
        pytest.param("http://h/#secret", None, "fragment", id="fragment"),
        pytest.param("http://h/?a=secret&b=1", None, "only hold apikey, not a, b", id="query"),
        pytest.param("http://h", "", "str that is not empty", id="empty name"),
        pytest.param("http://h", "/", "str that is not empty", id="slash as a name"),
        pytest.param("http://h", [], "no instance was named", id="no name"),
        pytest.param("http://h", [5], "str that is not empty", id="number as a name"),
        pytest.param("http://h", b"ab", "str that is not empty", id="bytes"),
        pytest.param("http://h", ["a", "*"], "cannot be combined", id="name and all"),
        pytest.param("http://h", "a,b", "'a,b' cannot be listened to", id="comma"),
        pytest.param("wss://h/a%3Fb", None, "'a?b' cannot be listened to", id="question mark"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused(url: Any, instance: Any, words: str) -> None:
    """The error says what to change, and repeats no secret."""
    with pytest.raises(ConfigError) as caught:
        parse_address(url, instance)

    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_leading_slash_of_an_instance_is_dropped() -> None:
    """Who names the namespace gets the instance."""
    address = parse_address("https://host", ["/sales", "b/c"])

    assert ("sales", "b/c") == address.instances
    assert ("/sales", "/b/c") == address.namespaces
