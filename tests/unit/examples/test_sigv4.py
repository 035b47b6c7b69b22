"""The verifier of AWS signatures, held to the examples that AWS has published."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.providers.received import Received
from support.providers.sigv4 import Signer, canonical

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SIGNER = Signer("AKIDEXAMPLE", SECRET, "us-east-1", "service")
TIME = "20150830T123600Z"


def signed(method: str, target: str, signature: str, service: str = "service", **more: str) -> Received:
    headers = {"host": "example.amazonaws.com", "x-amz-date": TIME, **more}
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, "
        f"SignedHeaders={';'.join(sorted(headers))}, Signature={signature}"
    )
    return Received(method, target, headers, b"")


PUBLISHED = {
    # Signature Version 4 Test Suite: get-vanilla, get-vanilla-query-order-key-case, post-vanilla
    "get-vanilla": signed("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-vanilla-query-order-key-case": signed(
        "GET",
        "/?Param2=value2&Param1=value1",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "post-vanilla": signed("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
}
IAM = signed(
    "GET",
    "/?Action=ListUsers&Version=2010-05-08",
    "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    "iam",
    **{"content-type": "application/x-www-form-urlencoded; charset=utf-8", "host": "iam.amazonaws.com"},
)
"""The worked example of the AWS General Reference."""


@pytest.mark.parametrize("request_", PUBLISHED.values(), ids=PUBLISHED)
def test_the_published_examples_are_right(request_: Received) -> None:
    assert SIGNER.complaint(request_) is None


def test_the_worked_example_is_right() -> None:
    assert replace(SIGNER, service="iam").complaint(IAM) is None


GOOD = PUBLISHED["get-vanilla-query-order-key-case"]
DOWNGRADED = GOOD.headers["authorization"].replace("host;x-amz-date", "x-amz-date")


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (replace(GOOD, method="POST"), "the signature is wrong"),
        (replace(GOOD, target="/?Param2=value2&Param1=value2"), "the signature is wrong"),
        (replace(GOOD, target="/a?Param2=value2&Param1=value1"), "the signature is wrong"),
        (replace(GOOD, body=b"{}"), "the signature is wrong"),
        (replace(GOOD, headers={**GOOD.headers, "host": "example.com"}), "the signature is wrong"),
        (replace(GOOD, headers={**GOOD.headers, "x-amz-date": "20150830T123601Z"}), "the signature is wrong"),
        (
            replace(GOOD, headers={**GOOD.headers, "x-amz-date": "20150831T123600Z"}),
            "the time of the request",
        ),
        (replace(GOOD, headers={**GOOD.headers, "x-amz-security-token": "t"}), "the signed headers"),
        (replace(GOOD, headers={**GOOD.headers, "authorization": DOWNGRADED}), "the signed headers"),
        (replace(GOOD, headers={}), "not a well-formed Authorization"),
    ],
)
def test_a_changed_request_is_refused(changed: Received, complaint: str) -> None:
    assert (SIGNER.complaint(changed) or "").startswith(complaint)


@pytest.mark.parametrize(
    "signer",
    [
        replace(SIGNER, access_key="AKIDOTHER"),
        replace(SIGNER, secret_key="other"),
        replace(SIGNER, region="eu-west-1"),
        replace(SIGNER, service="bedrock"),
    ],
)
def test_another_signer_is_refused(signer: Signer) -> None:
    assert signer.complaint(GOOD) is not None


def test_the_path_is_encoded_twice() -> None:
    """A model's id has a colon; sent as %3A it is signed as %253A."""
    paths = [canonical(replace(GOOD, target=f"/model/{name}"), ["host"]) for name in ("a:0", "a%3A0")]
    assert [path.splitlines()[1] for path in paths] == ["/model/a%3A0", "/model/a%253A0"]
