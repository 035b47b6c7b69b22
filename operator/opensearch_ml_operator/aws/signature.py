"""AWS Signature Version 4, by AWS's own library: the only module that knows awscrt.

It is imported when the first request is to be signed. Who signs nothing needs neither the library nor the
6 MB and 70 ms that loading it takes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from awscrt import auth, http

from ..reconcilers.aws import AWSKeys, Outgoing

_SERVERLESS: Final = "aoss"


async def sign(
    request: Outgoing, keys: AWSKeys, *, region: str, service: str, at: datetime
) -> Mapping[str, str]:
    """Return the headers that sign the request: time, token of temporary keys, signature.

    Amazon OpenSearch Serverless alone also wants the digest of the body as a header. Of the request's own
    headers only `Host` is signed: what lies between may change all others.
    """
    digest = auth.AwsSignedBodyHeaderType
    signed = http.HttpRequest(request.method, request.target, http.HttpHeaders([("host", request.host)]))
    provider = auth.AwsCredentialsProvider.new_static(keys.access_key, keys.secret_key, keys.session_token)
    config = auth.AwsSigningConfig(
        credentials_provider=provider,
        region=region,
        service=service,
        date=at,
        signed_body_value=hashlib.sha256(request.body).hexdigest(),
        signed_body_header_type=digest.X_AMZ_CONTENT_SHA_256 if service == _SERVERLESS else digest.NONE,
    )
    await asyncio.wrap_future(auth.aws_sign_request(signed, config))
    return {name: value for name, value in signed.headers if name.lower() != "host"}
