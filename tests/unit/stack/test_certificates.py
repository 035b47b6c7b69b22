from __future__ import annotations

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from stack.certificates import Authority


def shake_hands(authority: Authority, trusted: Path, host: str) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*authority.issue("node", ["127.0.0.1", "10.201.0.1"], ["opensearch.search.svc"]))
    client = ssl.create_default_context(cafile=trusted)
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    near, far = socket.socketpair()

    def serve() -> None:
        with near:
            try:
                server.wrap_socket(near, server_side=True).close()
            except ssl.SSLError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client.wrap_socket(far, server_hostname=host).close()
    finally:
        far.close()
        thread.join(10)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "10.201.0.1", "opensearch.search.svc"])
def test_client_that_trusts_the_authority_accepts_the_certificate(tmp_path: Path, host: str) -> None:
    authority = Authority.create(tmp_path)
    shake_hands(authority, authority.ca_file, host)


def test_client_refuses_another_host_and_another_authority(tmp_path: Path) -> None:
    authority, other = Authority.create(tmp_path / "one"), Authority.create(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(authority, authority.ca_file, "example.org")
    with pytest.raises(ssl.SSLCertVerificationError, match="verify failed"):
        shake_hands(authority, other.ca_file, "localhost")


def test_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    _, key = Authority.create(tmp_path).issue("node")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
