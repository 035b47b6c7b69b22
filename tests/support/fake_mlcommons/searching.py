"""As much of the query language as the operator and its tests use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from .documents import Doc, Documents
from .refusals import refused
from .word_index import WordIndex, words

_ANALYSED = {"name", "description", "connector_id"}
_WINDOW = 10_000


def search(documents: Documents, body: Doc | None, view: Callable[[Doc], Doc], *, failed: str) -> Doc:
    """Answer one `_search`; `view` leaves out what is never shown, `failed` is the error's type."""
    if body is None:
        raise refused(400, "request body or source parameter is required", "parse_exception")
    start, size = body.get("from", 0), body.get("size", 10)
    if start + size > _WINDOW and documents.exists:
        raise refused(
            500,
            "Result window is too large, from + size must be less than or equal to: "
            f"[{_WINDOW}] but was [{start + size}]. See the scroll api for a more efficient way to request "
            "large data sets. This limit can be set by changing the [index.max_result_window] index level "
            "setting.",
            failed,
        )
    _matches(body.get("query"), "", {})  # a bad query is refused also where there is nothing to find
    ids = _candidates(body.get("query"), documents.words) if documents.words is not None else None
    found = [(id_, doc) for id_, doc in documents.searchable(ids) if _matches(body.get("query"), id_, doc)]
    return {
        "took": 1,
        "timed_out": False,
        "_shards": dict.fromkeys(("total", "successful"), int(documents.exists))
        | {"skipped": 0, "failed": 0},
        "hits": {
            "total": {"value": len(found), "relation": "eq"},
            "max_score": 1.0 if found and size else None,
            "hits": [
                {
                    "_index": documents.index,
                    "_id": id_,
                    "_version": documents.version(id_),
                    "_seq_no": documents.version(id_),
                    "_primary_term": 1,
                    "_score": 1.0,
                    "_source": _fields(view(doc), body.get("_source")),
                }
                for id_, doc in found[start : start + size]
            ],
        },
    }


def _candidates(query: Doc | None, index: WordIndex) -> Collection[str] | None:
    """Return the ids of all that may match, and perhaps of more; None where the index cannot tell."""
    ((kind, clause),) = query.items() if query else [("match_all", {})]
    if kind == "ids":
        return frozenset(clause["values"])
    if kind == "bool" and clause.keys() == {"should"}:
        each = [_candidates(one, index) for one in clause["should"]]
        found = [ids for ids in each if ids is not None]
        return frozenset[str]().union(*found) if found and None not in each else None
    ((field, wanted),) = clause.items() if len(clause) == 1 else [("", None)]
    if not isinstance(wanted, str) or (kind == "prefix" and field not in _ANALYSED):
        return None
    look: dict[str, Callable[[str], Collection[str] | None]] = {
        "term": index.with_all,
        "match_phrase": index.with_all,
        "match": index.with_any,
        "prefix": index.with_prefix,
    }
    return look[kind](wanted) if kind in look and "." not in field.removesuffix(".keyword") else None


def _matches(query: Doc | None, id_: str, doc: Doc) -> bool:
    if not query:
        return True
    ((kind, clause),) = query.items()
    if kind in _TESTS:
        ((field, wanted),) = ((f, w) for f, w in clause.items() if f != "boost")
        if isinstance(wanted, dict):
            wanted = wanted.get("value", wanted.get("query"))
        return any(_TESTS[kind](tokens, wanted) for tokens in _tokens(doc, field))
    tests: dict[str, Callable[[], bool]] = {
        "match_all": lambda: True,
        "ids": lambda: id_ in clause["values"],
        "exists": lambda: bool(list(_values(doc, clause["field"]))),
        "bool": lambda: _bool(clause, id_, doc),
    }
    if kind not in tests:
        raise refused(400, f"unknown query [{kind}]", "parsing_exception")
    return tests[kind]()


def _bool(clause: Doc, id_: str, doc: Doc) -> bool:
    def all_of(name: str) -> Iterator[bool]:
        queries = clause.get(name, [])
        return (_matches(q, id_, doc) for q in (queries if isinstance(queries, list) else [queries]))

    should = list(all_of("should"))
    needed = not should or bool({"must", "filter"} & clause.keys()) or any(should)
    return all(all_of("must")) and all(all_of("filter")) and not any(all_of("must_not")) and needed


def _phrase(tokens: list[str], wanted: str) -> bool:
    phrase = words(wanted)
    return any(tokens[i : i + len(phrase)] == phrase for i in range(len(tokens)))


_TESTS: dict[str, Callable[[list[str], Any], bool]] = {
    "term": lambda tokens, wanted: str(wanted) in tokens,
    "terms": lambda tokens, wanted: bool({str(w) for w in wanted} & set(tokens)),
    "prefix": lambda tokens, wanted: any(token.startswith(wanted) for token in tokens),
    "match": lambda tokens, wanted: bool({*words(str(wanted)), str(wanted)} & set(tokens)),
    "match_phrase": lambda tokens, wanted: _phrase(tokens, str(wanted)) or tokens == [wanted],
}


def _tokens(doc: Doc, field: str) -> Iterator[list[str]]:
    """Yield what the index holds of a field: the words of an analysed one, else each value as it is."""
    for value in _values(doc, field):
        yield words(str(value)) if field in _ANALYSED else [str(value)]


def _values(doc: Doc, field: str) -> Iterator[Any]:
    """Follow a dotted name; `name.keyword` is the text itself, but `description` has no such twin."""
    if field == "description.keyword":
        return
    current: Any = doc
    for part in field.removesuffix(".keyword").split("."):
        if not isinstance(current, dict) or part not in current:
            return
        current = current[part]
    yield from current if isinstance(current, list) else [current]


def _fields(doc: Doc, wanted: Any) -> Doc:
    if isinstance(wanted, list):
        return {key: value for key, value in doc.items() if key in wanted}
    if isinstance(wanted, dict):
        includes, excludes = wanted.get("includes"), wanted.get("excludes", [])
        return {k: v for k, v in doc.items() if (not includes or k in includes) and k not in excludes}
    return doc
