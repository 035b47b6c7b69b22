"""Where the credential may be sent: hosts are fixed or refused, and known-bad addresses never get through."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensearch_ml_operator.constants import Reason
from opensearch_ml_operator.reconcilers.conditions import Fact
from opensearch_ml_operator.reconcilers.connector.endpoint import fix_host, refuse_address


@pytest.mark.parametrize(
    ("url", "parameters", "fixed"),
    [
        pytest.param("https://h.example/v1", {}, "https://h.example/v1", id="nothing-to-do"),
        pytest.param("http://h:8080", {}, "http://h:8080", id="port-and-no-path"),
        pytest.param("https://h?x=${parameters.q}", {}, "https://h?x=${parameters.q}", id="query"),
        pytest.param("https://[2001:db8::1]:443/x", {}, "https://[2001:db8::1]:443/x", id="ipv6"),
        pytest.param("https://${parameters.h}/v1", {"h": "a.b"}, "https://a.b/v1", id="host"),
        pytest.param("https://a.${parameters.h}.c/", {"h": "b"}, "https://a.b.c/", id="part-of-the-host"),
        pytest.param("https://h:${parameters.p}/", {"p": 8443}, "https://h:8443/", id="port-as-a-number"),
        pytest.param("${parameters.u}/v1", {"u": "https://h"}, "https://h/v1", id="scheme-and-host"),
        pytest.param("${parameters.u}/v1", {"u": "https://h/base"}, "https://h/base/v1", id="with-a-path"),
        pytest.param(
            "https://${parameters.a}/x", {"a": "${parameters.b}.c", "b": "h"}, "https://h.c/x", id="nested"
        ),
        pytest.param(
            "https://h/${parameters.path}?k=${credential.key}",
            {"path": "p"},
            "https://h/${parameters.path}?k=${credential.key}",
            id="the-path-keeps-its-placeholders",
        ),
        pytest.param("https:/${parameters.h}/x", {"h": "/h"}, "https://h/x", id="slash-from-a-parameter"),
        pytest.param(
            "${parameters.s}/${parameters.h}/x", {"s": "https:", "h": "/h"}, "https://h/x", id="in-pieces"
        ),
    ],
)
def test_the_host_is_filled_in(url: str, parameters: dict[str, Any], fixed: str) -> None:
    assert fix_host(url, parameters) == fixed


@pytest.mark.parametrize(
    ("url", "parameters"),
    [
        pytest.param("https://${parameters.h}/x", {}, id="no-such-parameter"),
        pytest.param("https://${parameters.h:-good.example}/x", {}, id="default-value"),
        pytest.param("https://${credential.h}/x", {}, id="credential"),
        pytest.param("https://${h}/x", {"h": "a"}, id="not-a-parameter"),
        pytest.param("https://a${parameters.h", {"h": "a"}, id="not-closed"),
        pytest.param("https://${parameters.${parameters.h}}/x", {"h": "a", "a": "b"}, id="computed-name"),
        pytest.param("https://${parameters.a}/", {"a": "${parameters.a}"}, id="itself"),
        pytest.param("https://$${parameters.a}/", {"a": "{parameters.evil}"}, id="assembled"),
        pytest.param("https:/${parameters.h}/x", {}, id="one-slash"),
        pytest.param("https:/${parameters.h}/x", {"h": "a"}, id="one-slash-filled"),
        pytest.param("${parameters.s}/${parameters.h}/x", {"s": "https:"}, id="scheme-given-host-open"),
        pytest.param("${parameters.s}/${parameters.h}/x", {"s": "https:/"}, id="scheme-and-slash-given"),
        pytest.param("https://good@${parameters.h}/x", {}, id="userinfo-open"),
        pytest.param("https://good.example@evil.example/x", {}, id="userinfo"),
        pytest.param("https://u:p@h/x", {}, id="user-and-password"),
        pytest.param("https://h${parameters.x}/", {"x": "@evil.example"}, id="userinfo-from-a-parameter"),
        pytest.param("https://good.example\\@${parameters.h}/x", {}, id="backslash-open"),
        pytest.param("https://good.example\\.evil.example/x", {}, id="backslash"),
        pytest.param("https:\\\\evil.example/x", {}, id="backslashes-for-slashes"),
        pytest.param("https://good.example .evil/x", {}, id="blank"),
        pytest.param("https://good.example\t/x", {}, id="tab"),
        pytest.param("https://good.example\n", {}, id="newline-at-the-end"),
        pytest.param("https://good.example\n/x", {}, id="newline"),
        pytest.param("https://good.example%2eevil/x", {}, id="percent-encoded"),
        pytest.param("https://169。254。169。254/x", {}, id="ideographic-full-stops"),
        pytest.param("https://①⑥⑨.254.169.254/x", {}, id="circled-digits"),
        pytest.param("https://good.example／evil/x", {}, id="fullwidth-slash"),  # noqa: RUF001 - that is the trick
        pytest.param("https://[fe80::1%25eth0]/x", {}, id="ipv6-zone"),
        pytest.param("https://[::1/x", {}, id="bracket"),
        pytest.param("https://h:port/x", {}, id="port-that-is-none"),
        pytest.param("https://h:123456/x", {}, id="long-port"),
        pytest.param("https://:443/x", {}, id="no-host"),
        pytest.param("https:///x", {}, id="empty-host"),
        pytest.param("ftp://h/x", {}, id="scheme"),
        pytest.param("${parameters.u}/x", {"u": "file://h"}, id="scheme-from-a-parameter"),
        pytest.param("${parameters.u}", {"u": {"a": 1}}, id="object"),
        pytest.param("", {}, id="empty"),
    ],
)
def test_what_does_not_become_a_plain_host_is_refused(url: str, parameters: dict[str, Any]) -> None:
    fact = fix_host(url, parameters)

    assert isinstance(fact, Fact)
    assert (fact.reason, fact.stalled) == (Reason.INVALID_SPEC, True)


@pytest.mark.parametrize(
    ("url", "parameters"),
    [
        pytest.param(
            "https://${parameters.a}/",
            {name: f"${{parameters.{after}}}" * 200 for name, after in zip("abcdefg", "bcdefgh", strict=True)}
            | {"h": "x" * 4000},
            id="exponential",
        ),
        pytest.param("${parameters.a}" * 270, {"a": "x" * 1_000_000}, id="huge-value-many-times"),
        pytest.param("https://" + "${" * 2000, {}, id="many-openings"),
    ],
)
def test_no_spec_makes_the_operator_work_long(url: str, parameters: dict[str, Any]) -> None:
    begun = time.process_time()

    assert isinstance(fix_host(url, parameters), Fact)
    assert time.process_time() - begun < 1


PIECES = st.sampled_from(
    [
        "https://",
        "http:",
        "/",
        "//",
        "\\",
        "@",
        "a.example",
        "${parameters.a}",
        "${parameters.b}",
        "${credential.k}",
        "${parameters.",
        "}",
        "$",
        "{",
        ":",
        "?",
        "#",
        "443",
        "%2f",
        "\n",
        " ",
        ".",
    ]
)
TEXTS = st.lists(PIECES, max_size=7).map("".join)


@given(url=TEXTS, a=TEXTS, b=TEXTS)
def test_whatever_gets_through_has_one_host_that_nobody_can_change(url: str, a: str, b: str) -> None:
    fixed = fix_host(url, {"a": a, "b": b})

    if not isinstance(fixed, Fact):
        for evil in ("evil.example", "/evil.example/", "@evil.example", ":80@evil.example/"):
            parts = urlsplit(fixed.replace("${parameters.a}", evil).replace("${parameters.b}", evil))
            before = urlsplit(fixed)
            assert parts.scheme in {"http", "https"}
            assert parts.hostname
            assert parts.netloc == before.netloc


METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "0xa9.254.0251.0xfe",
    "169.254.43518",
    "169.254.169.254.",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[FD00:0EC2::0254]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "100.100.100.200",
    "168.63.129.16",
]
PRIVATE = [
    "127.0.0.1",
    "localhost",
    "LocalHost.",
    "x.localhost",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "[::1]",
    "[::]",
    "[fd12::1]",
    "[::ffff:10.0.0.1]",
]


@pytest.mark.parametrize("host", METADATA)
@pytest.mark.parametrize("private_allowed", [True, False], ids=["private-allowed", "private-refused"])
def test_metadata_services_are_never_called(host: str, *, private_allowed: bool) -> None:
    url = fix_host(f"http://{host}:80/latest", {})
    assert isinstance(url, str)

    fact = refuse_address(url, private_allowed=private_allowed)

    assert fact is not None
    assert (fact.reason, fact.stalled) == (Reason.PRIVATE_ADDRESS, True)


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_refused_unless_the_cluster_calls_them(host: str) -> None:
    url = fix_host(f"http://{host}/x", {})
    assert isinstance(url, str)

    fact = refuse_address(url, private_allowed=False)

    assert fact is not None
    assert fact.reason is Reason.PRIVATE_ADDRESS
    assert "private_ip_enabled" in fact.message
    assert refuse_address(url, private_allowed=True) is None


@pytest.mark.parametrize(
    "host", ["api.example.com", "8.8.8.8", "[2606:4700::1111]", "10.example", "0x.example"]
)
def test_public_hosts_are_let_through(host: str) -> None:
    assert refuse_address(f"https://{host}/v1", private_allowed=False) is None
