"""Who gives keys: the Security Token Service, and the agent beside a container, behind one address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from support.fake_aws.accounts import Accounts, Issued, RefusedError
from support.fake_aws.web import Reply, serve
from support.providers.received import Received

AGENT = "/v1/credentials"
_XMLNS = "https://sts.amazonaws.com/doc/2011-06-15/"


@dataclass(slots=True)
class Givers:
    """What they ask for, how long their keys live, and what they have given."""

    accounts: Accounts
    region: str
    url: str = ""
    seconds: float = 3600.0
    pod_token: str = "token-of-the-pod"
    agent_token: str = "token-for-the-agent"
    trusted: dict[str, str] = field(default_factory=dict)
    """The roles that can be assumed with keys, and by whose."""
    refusal: tuple[int, str, str] | None = None
    """Status, code and words of an answer to everything."""
    given: list[Issued] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def environment_of_role(self, role: str, token_file: str) -> dict[str, str]:
        """Return what the webhook for roles of ServiceAccounts puts into a pod."""
        return {
            "AWS_ROLE_ARN": role,
            "AWS_WEB_IDENTITY_TOKEN_FILE": token_file,
            "AWS_REGION": self.region,
            "AWS_ENDPOINT_URL_STS": self.url,
        }

    def environment_of_agent(self, token_file: str) -> dict[str, str]:
        """Return what EKS Pod Identity puts into a pod."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url + AGENT,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token_file,
            "AWS_REGION": self.region,
            "AWS_ENDPOINT_URL_STS": self.url,
        }

    def answer(self, request: Received) -> Reply:
        """Give keys to whom they belong."""
        fields = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        action = fields.get("Action", request.target)
        self.asked.append(action)
        if self.refusal is not None:
            return _refused(*self.refusal)
        if request.target == AGENT:
            return self._of_agent(request)
        try:
            return self._of_service(action, fields, request)
        except RefusedError as refusal:
            return _refused(403, "InvalidClientTokenId", str(refusal))

    def _of_agent(self, request: Received) -> Reply:
        if request.headers.get("authorization") != self.agent_token:
            return Reply(401, b"no such token", "text/plain")
        keys = self._give("arn:aws:sts::123456789012:assumed-role/pod/agent")
        return Reply(
            200,
            json.dumps(
                {
                    "AccessKeyId": keys.access_key,
                    "SecretAccessKey": keys.secret_key,
                    "Token": keys.session_token,
                    "Expiration": _stamp(keys),
                }
            ).encode(),
        )

    def _of_service(self, action: str, fields: dict[str, str], request: Received) -> Reply:
        role = fields["RoleArn"]
        assumed = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
        assumed = f"{assumed}/{fields['RoleSessionName']}"
        if action == "AssumeRole":
            caller = self.accounts.signer(request, region=self.region, service="sts").arn
            if self.trusted.get(role) != caller:
                words = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}"
                return _refused(403, "AccessDenied", words)
        elif fields.get("WebIdentityToken") != self.pod_token:
            return _refused(400, "InvalidIdentityToken", "Couldn't retrieve verification key")
        keys = self._give(assumed)
        document = (
            f'<{action}Response xmlns="{_XMLNS}"><{action}Result>'
            f"<AssumedRoleUser><Arn>{assumed}</Arn></AssumedRoleUser><Credentials>"
            f"<AccessKeyId>{keys.access_key}</AccessKeyId>"
            f"<SecretAccessKey>{keys.secret_key}</SecretAccessKey>"
            f"<SessionToken>{keys.session_token}</SessionToken>"
            f"<Expiration>{_stamp(keys)}</Expiration>"
            f"</Credentials></{action}Result></{action}Response>"
        )
        return Reply(200, document.encode(), "text/xml")

    def _give(self, arn: str) -> Issued:
        keys = self.accounts.session(arn, self.seconds)
        self.given.append(keys)
        return keys


def _refused(status: int, code: str, words: str) -> Reply:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{words}</Message></Error>"
    return Reply(status, f'<ErrorResponse xmlns="{_XMLNS}">{error}</ErrorResponse>'.encode(), "text/xml")


def _stamp(keys: Issued) -> str:
    assert keys.expires is not None
    return keys.expires.strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def givers(accounts: Accounts, region: str, **how: Any) -> Iterator[Givers]:
    """Serve until the context ends."""
    made = Givers(accounts, region, **how)
    with serve(made.answer) as url:
        made.url = url
        yield made
