"""Signatures, held to those that AWS has published and to a verifier that is written from its description."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from string import ascii_letters, ascii_uppercase, digits
from typing import Final

import pytest

from opensearch_ml_operator.aws.signature import sign
from opensearch_ml_operator.reconcilers.aws import AWSKeys, Outgoing
from support.providers.received import Received
from support.providers.sigv4 import Signer

HOST: Final = "example.amazonaws.com"
SECRET: Final = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEYS: Final = AWSKeys("AKIDEXAMPLE", SECRET)
TIME: Final = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
UNRESERVED: Final = f"-._~{digits}{ascii_uppercase}{ascii_letters[:26]}"

PUBLISHED: Final = {
    # Signature Version 4 Test Suite, by the names that it has there
    "get-vanilla": ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-vanilla-empty-query-key": (
        "GET",
        "/?Param1=value1",
        "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    ),
    "get-vanilla-query-order-key": (
        "GET",
        "/?Param1=value2&Param1=Value1",
        "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1",
    ),
    "get-vanilla-query-order-key-case": (
        "GET",
        "/?Param2=value2&Param1=value1",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "get-vanilla-query-order-value": (
        "GET",
        "/?Param1=value2&Param1=value1",
        "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
    ),
    "get-vanilla-query-order-encoded": (
        "GET",
        "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    ),
    "get-vanilla-query-unreserved": (
        "GET",
        f"/?{UNRESERVED}={UNRESERVED}",
        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    ),
    "get-unreserved": (
        "GET",
        f"/{UNRESERVED}",
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ),
    "get-utf8": ("GET", "/ሴ", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    "get-relative": (
        "GET",
        "/example/..",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "get-slashes": ("GET", "//example//", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
    "post-vanilla": ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    "post-vanilla-query": (
        "POST",
        "/?Param1=value1",
        "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    ),
}


@pytest.mark.parametrize(("method", "target", "expected"), PUBLISHED.values(), ids=PUBLISHED)
async def test_the_signatures_are_those_that_aws_has_published(
    method: str, target: str, expected: str
) -> None:
    headers = await sign(
        Outgoing(method, HOST, target, b""), KEYS, region="us-east-1", service="service", at=TIME
    )
    assert headers == {
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={expected}",
    }


async def test_temporary_keys_sign_their_token_too() -> None:
    """The suite's get-vanilla-with-session-token."""
    keys = AWSKeys("AKIDEXAMPLE", SECRET, "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267")
    headers = await sign(
        Outgoing("GET", HOST, "/", b""), keys, region="us-east-1", service="service", at=TIME
    )
    assert headers["Authorization"].endswith(
        "Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
    )


@pytest.mark.parametrize("service", ["es", "aoss", "sts"])
@pytest.mark.parametrize("token", [None, "token/of+a=session"])
@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/", b""),
        ("PUT", "/_plugins/_ml/models/a-b_c~d.e", b'{"name":"sch\xc3\xb6n"}'),
        ("GET", "/a%20b%2Fc:d*e,f?x=1&x=0&y&z=a%2Bb%20c&filter_path=*.plugins%5C.ml%5C.*,*.s", b""),
        ("POST", "/_plugins/_ml/models/_search", b"{}"),
    ],
)
async def test_a_verifier_of_its_own_agrees(
    service: str, token: str | None, method: str, target: str, body: bytes
) -> None:
    keys = AWSKeys("AKIDEXAMPLE", SECRET, token)
    headers = await sign(
        Outgoing(method, HOST, target, body), keys, region="eu-west-1", service=service, at=TIME
    )
    received = {"host": HOST, **{name.lower(): value for name, value in headers.items()}}
    assert received.get("x-amz-security-token") == token
    assert ("x-amz-content-sha256" in received) == (service == "aoss")
    verifier = Signer("AKIDEXAMPLE", SECRET, "eu-west-1", service)
    assert verifier.complaint(Received(method, target, received, body)) is None
    assert verifier.complaint(Received(method, target, received, body + b" ")) == "the signature is wrong"


def test_who_signs_nothing_does_not_load_what_signs() -> None:
    program = "import sys, opensearch_ml_operator.startup; print('awscrt' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "False"
