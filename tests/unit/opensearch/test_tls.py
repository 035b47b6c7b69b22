"""TLS: the server's certificate decides before anything is sent."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.opensearch.operations import Operation as Op
from opensearch_ml_operator.opensearch.transport import Transport
from opensearch_ml_operator.reconcilers.ports import ConnectionSettings

UNUSABLE: list[int] = []


@dataclass(frozen=True)
class Server:
    url: str
    ca: bytes


def self_signed(name: str) -> tuple[bytes, bytes]:
    """Return certificate and key for a DNS name and 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName(name)] + (
        [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))] if name == "localhost" else []
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


async def serve(folder: Path, name: str) -> AsyncIterator[Server]:
    certificate, key = self_signed(name)
    (folder / "tls.crt").write_bytes(certificate)
    (folder / "tls.key").write_bytes(key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield Server(f"https://127.0.0.1:{runner.addresses[0][1]}", certificate)
    await runner.cleanup()


@pytest.fixture
async def local_server(tmp_path: Path) -> AsyncIterator[Server]:
    async for server in serve(tmp_path, "localhost"):
        yield server


@pytest.fixture
async def named_server(tmp_path: Path) -> AsyncIterator[Server]:
    async for server in serve(tmp_path, "search.example"):
        yield server


async def call(
    *endpoints: str, ca: bytes | None = None, server_name: str | None = None, verify: bool = True
) -> object:
    """Ask for / once."""
    sent = Transport(
        ConnectionSettings(endpoints=endpoints, ca=ca, server_name=server_name, verify=verify),
        observer=lambda *_: None,
        on_unusable=lambda: None,
        clock=time.monotonic,
    )
    try:
        return await sent.call(Op.GET_INFO, "GET", "/")
    finally:
        await sent.retire()


async def failure(*endpoints: str, ca: bytes | None = None) -> MLError:
    with pytest.raises(MLError) as error:
        await call(*endpoints, ca=ca)
    return error.value


async def test_a_ca_of_our_own_is_trusted(local_server: Server) -> None:
    assert await call(local_server.url, ca=local_server.ca) == {"ok": True}


async def test_comments_in_any_language_are_let_pass(local_server: Server) -> None:
    assert await call(local_server.url, ca="# Főtanúsítvány\n".encode() + local_server.ca) == {"ok": True}


async def test_a_strangers_certificate_is_refused(local_server: Server) -> None:
    error = await failure(local_server.url)
    assert error.code is MLCode.TLS_FAILED
    assert "certificate" in error.message
    assert local_server.url in error.message


async def test_a_stranger_is_believed_where_nothing_is_verified(
    local_server: Server, named_server: Server
) -> None:
    assert await call(local_server.url, verify=False)
    assert await call(named_server.url, verify=False)


async def test_the_server_name_is_verified_instead_of_the_host(named_server: Server) -> None:
    assert (await failure(named_server.url, ca=named_server.ca)).code is MLCode.TLS_FAILED
    assert await call(named_server.url, ca=named_server.ca, server_name="search.example") == {"ok": True}


async def test_plain_http_behind_https_is_a_tls_failure(local_server: Server) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    error = await failure(f"https://127.0.0.1:{runner.addresses[0][1]}", ca=local_server.ca)
    await runner.cleanup()
    assert error.code is MLCode.TLS_FAILED


async def test_another_endpoint_is_tried_after_a_tls_failure(local_server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    async for stranger in serve(folder, "localhost"):
        assert await call(stranger.url, local_server.url, ca=local_server.ca) == {"ok": True}


@pytest.mark.parametrize("ca", [b"", b"  \n", b"not a certificate", b"\xff\xfe"])
async def test_a_ca_that_is_none_fails_every_call(local_server: Server, ca: bytes) -> None:
    error = await failure(local_server.url, ca=ca)
    assert (error.code, error.message) == (MLCode.TLS_FAILED, "the CA given holds no certificate in PEM form")
