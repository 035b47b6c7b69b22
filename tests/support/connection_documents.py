"""Logins and limits with the verdict that both judges must come to, as in `kind_documents`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Changes = Mapping[str, Any]

BASIC: Final = {"basic": {"secretRef": {"name": "login"}}}
BEARER: Final = {"bearer": {"secretKeyRef": {"name": "login", "key": "token"}}}
ACCOUNT_TOKEN: Final = {"serviceAccountToken": {"audience": "search"}}
CERTIFICATE: Final = {"clientCertificate": {"secretRef": {"name": "login"}}}
SIGNED: Final = {"sigv4": {"region": "eu-central-1"}}


def _account_token(**token: Any) -> Changes:
    return {"bearer": {"serviceAccountToken": token}}


def _signed(**fields: Any) -> Changes:
    return {"sigv4": {"region": "eu-central-1", **fields}}


RULES: Final[tuple[tuple[str, tuple[Changes, ...], tuple[Changes, ...]], ...]] = (
    (
        "at most one of basic, bearer, clientCertificate, sigv4 may be set",
        ({"auth": BASIC}, {"auth": BEARER}, {"auth": CERTIFICATE}, {"auth": SIGNED}),
        (
            {"auth": BASIC | BEARER},
            {"auth": BASIC | CERTIFICATE},
            {"auth": BEARER | CERTIFICATE},
            {"auth": BASIC | SIGNED},
            {"auth": CERTIFICATE | SIGNED},
        ),
    ),
    (
        "exactly one of secretKeyRef, serviceAccountToken must be set",
        ({"auth": BEARER}, {"auth": {"bearer": ACCOUNT_TOKEN}}),
        ({"auth": {"bearer": {}}}, {"auth": {"bearer": {**BEARER["bearer"], **ACCOUNT_TOKEN}}}),
    ),
    (
        "burst needs requestsPerSecond",
        ({"limits": {"requestsPerSecond": 1}}, {"limits": {"requestsPerSecond": 1000, "burst": 1}}),
        ({"limits": {"burst": 1}},),
    ),
    (
        "clientCertificate needs https endpoints",
        ({"auth": CERTIFICATE}, {"auth": {}, "endpoints": ["http://opensearch:9200"]}),
        ({"auth": CERTIFICATE, "endpoints": ["https://opensearch:9200", "http://opensearch:9201"]},),
    ),
)
"""The rule's message, changes that keep it, changes that break it."""

ACCEPTED: Final[tuple[Changes, ...]] = (
    _account_token(audience="https://opensearch.example/", expirationSeconds=600),
    _account_token(audience="search", expirationSeconds=86400),
    _signed(),
    _signed(region="us-gov-west-1", service="aoss"),
    _signed(region="eusc-de-east-1", roleArn="arn:aws-eusc:iam::123456789012:role/ml"),
    _signed(region="cn-north-1", roleArn="arn:aws-cn:iam::123456789012:role/team/ml+op=1,2.@3_-"),
    _signed(region="us-isob-east-1", secretRef={"name": "keys"}),
)

REFUSED_LIMITS: Final[tuple[Changes, ...]] = (
    {"requestsPerSecond": 0},
    {"requestsPerSecond": 1001},
    {"requestsPerSecond": 0.5},
    {"requestsPerSecond": 1, "burst": 0},
    {"requestsPerSecond": 1, "burst": 1001},
)

REFUSED: Final[tuple[Changes, ...]] = (
    _account_token(),
    _account_token(audience=""),
    _account_token(audience="two words"),
    _account_token(audience="two,audiences"),
    _account_token(audience="a" * 254),
    _account_token(audience="search", expirationSeconds=599),
    _account_token(audience="search", expirationSeconds=86401),
    {"bearer": {"secretKeyRef": {"name": "login"}}},
    {"clientCertificate": {}},
    {"sigv4": {}},
    _signed(region=""),
    _signed(region="EU-CENTRAL-1"),
    _signed(region="eu-central-1a"),
    _signed(region="evil.example/"),
    _signed(service="s3"),
    _signed(roleArn="ml"),
    _signed(roleArn="arn:aws:iam::123456789012:user/ml"),
    _signed(roleArn="arn:aws:iam::1234:role/ml"),
    _signed(roleArn="arn:aws:iam::123456789012:role/ml&x=y"),
    _signed(secretRef={}),
)
