"""TLS of one connection: whom we trust, what we show, and what a refusal of it looks like."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable
from typing import Final

from ..errors import MLCode
from ..reconcilers.ports import ClientCertificate, ConnectionSettings

_ABOUT_OUR_CERTIFICATE: Final = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the authority of the client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not accept the client certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it does not accept this kind of client certificate",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "the client certificate has been revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept the client certificate",
    "TLSV1_ALERT_ACCESS_DENIED": "it does not accept the client certificate",
}
"""Alerts of RFC 8446, 6.2, as OpenSSL calls them. In TLS 1.3 they come after our side of the handshake, when
the first request may have left; the server reads none before it has accepted the certificate."""


class UnusableTLSError(Exception):
    """What the Secrets hold makes no TLS; `code` says whose fault it is."""

    def __init__(self, code: MLCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def context_for(settings: ConnectionSettings, public: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Return the context for these settings, `public` for one without a CA; raises UnusableTLSError."""
    if not any(endpoint.startswith("https:") for endpoint in settings.endpoints):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading the public certificates takes a while
    if not settings.verify:
        context = _trusting_everyone()
    else:
        context = public() if settings.ca is None else _trusting(settings.ca)
    if settings.certificate is not None:
        _show(context, settings.certificate)
    return context


def refused_certificate(causes: Iterable[BaseException]) -> str | None:
    """Say how the server refused our certificate, or the lack of one; None when it did not."""
    reasons = (cause.reason for cause in causes if isinstance(cause, ssl.SSLError))
    return next((_ABOUT_OUR_CERTIFICATE[why] for why in reasons if why in _ABOUT_OUR_CERTIFICATE), None)


def _trusting(ca: bytes) -> ssl.SSLContext:
    try:
        # Bundles have comments in all languages. An empty text would mean "the system's certificates".
        return ssl.create_default_context(cadata=ca.decode("ascii", "ignore").strip() or "no certificate")
    except (ssl.SSLError, ValueError):
        raise UnusableTLSError(MLCode.TLS_FAILED, "the CA given holds no certificate in PEM form") from None


def _trusting_everyone() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _show(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """Load the certificate. OpenSSL reads files alone: this one is in memory and has no name."""
    file = os.memfd_create("client-certificate")
    try:
        os.write(file, certificate.key.rstrip() + b"\n" + certificate.chain)
        # A password that is no password: OpenSSL would ask for that of an encrypted key on the terminal.
        context.load_cert_chain(f"/proc/self/fd/{file}", password="")
    except (ssl.SSLError, ValueError, OSError) as error:
        why = getattr(error, "reason", None) or "not PEM"
        raise UnusableTLSError(
            MLCode.UNAUTHENTICATED, f"the client certificate and its key cannot be used ({why})"
        ) from None
    finally:
        os.close(file)
