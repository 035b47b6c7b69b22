from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from opensearch_ml_operator import logs
from opensearch_ml_operator.kopf_settings import build_settings
from opensearch_ml_operator.logs import MASK, Redactor, set_up
from opensearch_ml_operator.models.snapshot import ObjectKey
from opensearch_ml_operator.reconcilers.ports import SecretData

SECRET = 'pa"ss\\wörd/+&1'


class Stream:
    """What the process would write to its standard error."""

    def __init__(
        self, redactor: Redactor, *, level: str = "info", style: Literal["json", "text"] = "json"
    ) -> None:
        self._out = io.StringIO()
        set_up(redactor, level=level, style=style, stream=self._out)

    @property
    def text(self) -> str:
        return self._out.getvalue()

    @property
    def record(self) -> dict[str, Any]:
        """The only line, parsed."""
        (line,) = self.text.splitlines()
        parsed: dict[str, Any] = json.loads(line)
        return parsed


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs._CHATTY}  # noqa: SLF001 - what set_up changes
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.fixture
def redactor() -> Redactor:
    redactor = Redactor()
    redactor.learn(SECRET.encode())
    return redactor


FORMS = {
    "raw": SECRET,
    "json": json.dumps(SECRET)[1:-1],
    "unescaped json": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "url": quote(SECRET, safe=""),
    "python": repr(SECRET)[1:-1],
    "python bytes": repr(SECRET.encode())[2:-1],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_secret_is_masked_in_every_form(redactor: Redactor, form: str) -> None:
    assert redactor.mask(f"<{form}> and <{form}>") == f"<{MASK}> and <{MASK}>"


@given(
    st.text(min_size=8, max_size=40).map(str.strip),
    st.binary(max_size=9),
    st.binary(max_size=9),
    st.booleans(),
)
@example("password", b"user:", b"", False)
def test_a_secret_is_masked_inside_anything_in_base64(
    secret: str,
    before: bytes,
    after: bytes,
    url_safe: bool,  # noqa: FBT001 - a value to try
) -> None:
    assume(len(secret) >= 8)
    redactor = Redactor()
    redactor.learn(secret.encode())
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    assert MASK in redactor.mask(encode(before + secret.encode() + after).decode())


@given(
    st.lists(st.text(alphabet="abc", min_size=4, max_size=8), min_size=1, max_size=5),
    st.text("abc ", max_size=60),
)
def test_no_secret_is_left_in_any_text(secrets: list[str], text: str) -> None:
    redactor = Redactor()
    for secret in secrets:
        redactor.learn(secret.encode())
    masked = redactor.mask(text)
    assert not any(secret in masked for secret in secrets)


def test_of_two_secrets_that_begin_alike_the_longer_is_masked_whole() -> None:
    redactor = Redactor()
    redactor.learn(b"hunter")
    redactor.learn(b"hunter2-and-more")
    assert redactor.mask("it is hunter2-and-more") == f"it is {MASK}"


def test_a_known_secret_is_masked_whole_where_a_login_is_recognized_too(redactor: Redactor) -> None:
    assert redactor.mask(f"Authorization: {SECRET} sent") == f"Authorization: {MASK}"


def test_each_line_of_a_long_secret_is_masked() -> None:
    redactor = Redactor()
    redactor.learn(b"first-line-of-key\nsecond-line-of-key\n")
    assert redactor.mask("saw second-line-of-key here") == f"saw {MASK} here"


def test_white_space_around_a_secret_does_not_save_it() -> None:
    redactor = Redactor()
    redactor.learn(b"  token-value\n")
    assert redactor.mask("token-value") == MASK


def test_words_too_short_for_a_secret_stay_readable() -> None:
    redactor = Redactor()
    redactor.learn(b"the")
    redactor.learn(b"")
    assert redactor.mask("the end") == "the end"


def test_bytes_that_are_no_text_can_be_learned() -> None:
    redactor = Redactor()
    redactor.learn(bytes(range(256)))
    assert redactor.mask("nothing of that here") == "nothing of that here"


def test_the_secrets_read_longest_ago_are_forgotten_first() -> None:
    redactor = Redactor(most=2)
    redactor.learn(b"value-of-the-first")
    redactor.learn(b"value-of-the-second")
    redactor.learn(b"value-of-the-first")
    redactor.learn(b"one-too-many")
    assert redactor.mask("value-of-the-first") == MASK
    assert redactor.mask("value-of-the-second") == "value-of-the-second"
    assert redactor.mask("one-too-many") == MASK


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Basic YWRtaW46YWRtaW4=", f"Authorization: {MASK}"),
        (
            "authorization: AWS4-HMAC-SHA256 Credential=A/B, Signature=abc\nnext",
            f"authorization: {MASK}\nnext",
        ),
        ("{'Authorization': 'Bearer abc.def.ghi'}", f"{{'Authorization': '{MASK}'}}"),
        (r"{\"Authorization\": \"Bearer abc\"}", rf"{{\"Authorization\": \"{MASK}\"}}"),
        ("sent Bearer eyJhbGciOi.abc-_x", f"sent Bearer {MASK}"),
        ("https://admin:secret1@os:9200/x", f"https://admin:{MASK}@os:9200/x"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
            f"-----BEGIN RSA PRIVATE KEY-----{MASK} RSA PRIVATE KEY-----",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", f"-----BEGIN PRIVATE KEY-----{MASK}"),
    ],
)
def test_what_looks_like_a_login_is_masked_unknown_as_it_is(text: str, masked: str) -> None:
    assert Redactor().mask(text) == masked


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:9200/path", "basic authentication", "user@example.com", ""]
)
def test_what_does_not_look_like_one_is_left_alone(text: str) -> None:
    assert Redactor().mask(text) == text


class OneSecret:
    """A source that holds one Secret, and the same bytes as a ConfigMap."""

    async def secret(self, namespace: str, name: str) -> SecretData | None:
        return SecretData("1", {"key": b"s3cr3t-value"}) if (namespace, name) == ("team", "login") else None

    async def revision(self, namespace: str, name: str, *, max_age: float) -> str | None:
        del namespace, name, max_age
        return "1"

    async def config_map(self, namespace: str, name: str) -> SecretData | None:
        del namespace, name
        return SecretData("1", {"ca.crt": b"certificate"})


async def test_what_is_read_from_a_watched_source_is_masked_from_then_on() -> None:
    redactor = Redactor()
    source = redactor.watch(OneSecret())
    assert redactor.mask("s3cr3t-value") == "s3cr3t-value"
    assert await source.secret("team", "login") == SecretData("1", {"key": b"s3cr3t-value"})
    assert await source.secret("team", "missing") is None
    assert await source.config_map("team", "ca") is not None
    assert redactor.mask("s3cr3t-value and certificate") == f"{MASK} and certificate"


def test_a_json_line_tells_when_how_bad_who_and_what(redactor: Redactor) -> None:
    stream = Stream(redactor)
    logging.getLogger("somewhere").warning(
        "took %d s", 3, extra={"key": ObjectKey("RemoteModel", "team", "one")}
    )
    record = stream.record
    assert record.pop("time").endswith("+00:00")
    assert record == {
        "level": "warning",
        "logger": "somewhere",
        "message": "took 3 s",
        "key": "RemoteModel team/one",
    }


def test_a_text_line_is_one_line(redactor: Redactor) -> None:
    stream = Stream(redactor, style="text")
    logging.getLogger("somewhere").error(
        "two\r\nlines", extra={"key": ObjectKey("RemoteModel", "team", "one")}
    )
    (line,) = stream.text.splitlines()
    assert line.endswith(r"ERROR   somewhere: two\r\nlines key=RemoteModel team/one")


@pytest.mark.parametrize("style", ["json", "text"])
def test_no_way_into_a_log_line_leads_around_the_mask(
    redactor: Redactor, style: Literal["json", "text"]
) -> None:
    stream = Stream(redactor, style=style)
    log = logging.getLogger("somewhere")
    log.error("the password is %s", SECRET)
    log.error("extra", extra={"field": SECRET})
    log.error("failed", exc_info=ValueError(SECRET), stack_info=True)
    logging.getLogger().error("root %r", {"password": SECRET})
    assert len(stream.text.splitlines()) == 4
    assert stream.text.count(MASK) >= 4
    for form in FORMS.values():
        assert form not in stream.text


def test_kopf_speaks_of_an_object_by_our_name_for_it(redactor: Redactor) -> None:
    stream = Stream(redactor)
    reference = {"apiVersion": "v1", "kind": "RemoteModel", "namespace": "team", "name": "one", "uid": "u"}
    logging.getLogger("kopf.objects").warning(
        "x", extra={"k8s_ref": reference, "k8s_skip": False, "settings": build_settings()}
    )
    assert stream.record["key"] == "RemoteModel team/one"
    assert set(stream.record) == {"time", "level", "logger", "message", "key"}


def test_kopfs_line_about_every_event_is_dropped_and_its_others_are_not(redactor: Redactor) -> None:
    stream = Stream(redactor, level="debug")
    kopf = logging.getLogger("kopf.objects")
    kopf.info("Handler 'observe' succeeded.")
    kopf.info(ValueError("not a text"))
    kopf.error("Handler 'finalize' failed.")
    logging.getLogger("ours").info("Handler 'x' succeeded.")
    messages = [json.loads(line)["message"] for line in stream.text.splitlines()]
    assert messages == ["not a text", "Handler 'finalize' failed.", "Handler 'x' succeeded."]


@pytest.mark.parametrize(
    ("level", "ours", "theirs"),
    [
        ("debug", logging.DEBUG, logging.INFO),
        ("info", logging.INFO, logging.WARNING),
        ("warning", logging.WARNING, logging.WARNING),
        ("error", logging.ERROR, logging.ERROR),
    ],
)
def test_libraries_never_show_their_details(redactor: Redactor, level: str, ours: int, theirs: int) -> None:
    Stream(redactor, level=level)
    assert logging.getLogger("opensearch_ml_operator.engine").getEffectiveLevel() == ours
    for name in (
        "kopf.objects",
        "kopf",
        "httpx",
        "httpcore.connection",
        "aiohttp.access",
        "kubernetes.client",
    ):
        assert logging.getLogger(name).getEffectiveLevel() == theirs
