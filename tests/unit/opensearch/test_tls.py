"""TLS: the server's certificate decides before anything is sent."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from opensearch_ml_operator.errors import MLCode, MLError
from opensearch_ml_operator.opensearch.login import login_of
from opensearch_ml_operator.opensearch.operations import Operation as Op
from opensearch_ml_operator.opensearch.tls import refused_certificate
from opensearch_ml_operator.opensearch.transport import Transport
from opensearch_ml_operator.reconcilers.ports import ClientCertificate, ConnectionSettings
from stack.certificates import Authority
from support.memory_aws import MemoryAWS
from support.memory_tokens import MemoryTokens

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


def transport(settings: ConnectionSettings) -> Transport:
    return Transport(
        settings,
        login=login_of(settings, MemoryTokens(), MemoryAWS()),
        observer=lambda *_: None,
        on_unusable=lambda: None,
        clock=time.monotonic,
    )


async def call(
    *endpoints: str,
    ca: bytes | None = None,
    server_name: str | None = None,
    certificate: ClientCertificate | None = None,
    verify: bool = True,
) -> object:
    """Ask for / once."""
    sent = transport(
        ConnectionSettings(
            endpoints=endpoints, ca=ca, server_name=server_name, certificate=certificate, verify=verify
        )
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


async def test_the_end_of_a_verified_certificate_is_known(local_server: Server) -> None:
    end = x509.load_pem_x509_certificate(local_server.ca).not_valid_after_utc
    for verify, expected in ((True, end.timestamp()), (False, None)):
        looking = transport(
            ConnectionSettings(endpoints=(local_server.url,), ca=local_server.ca, verify=verify)
        )
        assert looking.certificate_expiry is None
        await looking.call(Op.GET_INFO, "GET", "/")
        assert looking.certificate_expiry == expected
        await looking.retire()


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


@dataclass(frozen=True)
class Guarded:
    """A server that asks everybody for a certificate of its authority."""

    url: str
    authority: Authority

    async def get(self, certificate: ClientCertificate | None) -> object:
        return await call(self.url, ca=self.authority.ca_file.read_bytes(), certificate=certificate)

    def issue(self, name: str) -> ClientCertificate:
        chain, key = self.authority.issue(name)
        return ClientCertificate(chain.read_bytes(), key.read_bytes())


class Subject(BaseHTTPRequestHandler):
    """Answers with the name in the client's certificate."""

    def do_GET(self) -> None:
        content = json.dumps(cast("ssl.SSLSocket", self.connection).getpeercert()["subject"]).encode()  # type: ignore[index]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class has it so
        """Say nothing."""


class GuardedServer(HTTPServer):
    """Refuses strangers as good servers do: it lets its alert arrive before it closes the connection."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), Subject)
        self._context = context

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        wrapped = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        try:
            wrapped.do_handshake()
        except ssl.SSLError:
            socket.socket.shutdown(wrapped, socket.SHUT_WR)
            with suppress(OSError):
                while os.read(wrapped.fileno(), 4096):
                    """Unread bytes at the end would reset the connection, and take the alert along."""
            wrapped.close()
            raise
        return wrapped, address


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guarded]:
    """Serve with blocking sockets: asyncio's send no alert."""
    authority = Authority.create(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = request.param
    context.load_cert_chain(*authority.issue("server"))
    with GuardedServer(context) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        yield Guarded(f"https://127.0.0.1:{server.server_port}", authority)
        server.shutdown()
        thread.join()


async def test_a_client_certificate_is_shown(guarded: Guarded) -> None:
    assert await guarded.get(guarded.issue("operator")) == [[["commonName", "operator"]]]


def test_an_alert_about_our_certificate_is_told_from_others() -> None:
    alerts = [ssl.SSLError(1, "[SSL] x") for _ in range(2)]
    alerts[0].reason, alerts[1].reason = "SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert refused_certificate([OSError(), alerts[0]]) is None
    assert refused_certificate([OSError(), alerts[1]]) == "it asks for a client certificate"


async def test_a_certificate_of_a_stranger_is_refused(guarded: Guarded, tmp_path: Path) -> None:
    chain, key = Authority.create(tmp_path / "stranger").issue("operator")
    with pytest.raises(MLError) as error:
        await guarded.get(ClientCertificate(chain.read_bytes(), key.read_bytes()))
    assert error.value.code is MLCode.UNAUTHENTICATED
    assert "client certificate" in error.value.message


def encrypted(key: bytes) -> bytes:
    """Return the key as it is when a password protects it."""
    loaded = serialization.load_pem_private_key(key, None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"word"),
    )


@pytest.mark.parametrize("wrong", ["key of another", "no chain", "no key", "encrypted key"])
async def test_a_certificate_that_cannot_be_used_says_so(guarded: Guarded, wrong: str) -> None:
    good, other = guarded.issue("operator"), guarded.issue("other")
    bad = {
        "key of another": ClientCertificate(good.chain, other.key),
        "no chain": ClientCertificate(b"chain", good.key),
        "no key": ClientCertificate(good.chain, b"key"),
        "encrypted key": ClientCertificate(good.chain, encrypted(good.key)),
    }[wrong]
    with pytest.raises(MLError) as error:
        await guarded.get(bad)
    assert error.value.code is MLCode.UNAUTHENTICATED
    assert "the client certificate and its key cannot be used" in error.value.message
