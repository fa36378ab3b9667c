"""How Tryton is asked: JSON-RPC calls in the context of one company, bulk calls that are halved, warnings that are acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from mainstay.contract.talk import Call, Repeat, Reply, Talk, as_json
from mainstay.model.failures import Halt, Reject

T = TypeVar("T")
CALL_S = 300.0  # posting fifty invoices takes about half a minute
WARNINGS_MAX = 20  # of one call


class Answer(Struct, Generic[T]):
    result: T


class Warned(Reject):
    """Tryton asks whether it is meant; `name` is what the answer refers to."""

    def __init__(self, why: str, name: str) -> None:
        super().__init__(why)
        self.name = name


class _Preferences(Struct):
    company: int | None = None


class _User(Struct):
    id: int


class Rpc:
    """Makes calls to one database as one user; `company` is 0 until `enter` has asked for it."""

    def __init__(self, database: str, login: str, company: int = 0) -> None:
        self.database, self.login, self.company = database, login, company

    def enter(self) -> Talk[Rpc]:
        """The same in the user's company, without which prices and rules are blind."""
        reply = yield self.plain("model.res.user.get_preferences", True, {})
        company = reply.read(Answer[_Preferences]).result.company
        if company is None:
            raise Halt(f"the Tryton user {self.login} works for no company")
        return Rpc(self.database, self.login, company)

    def plain(self, method: str, *params: Any, repeat: Repeat = Repeat.SAFE) -> Call:
        body = as_json({"id": 1, "method": method, "params": params})
        return Call(operation=method, method="POST", path=f"/{self.database}/rpc/", body=body, repeat=repeat, timeout_s=CALL_S)

    def on(self, method: str, records: Sequence[Any], *, repeat: Repeat = Repeat.SAFE) -> Call:
        """A method of a model on records: their ids, or the values of new ones."""
        return self.plain(f"model.{method}", records, {"company": self.company}, repeat=repeat)

    def rows(
        self, model: str, domain: list[Any], fields: Sequence[str], limit: int | None = None, **context: Any
    ) -> Talk[tuple[list[msgspec.Raw], Reply]]:
        """Records by id, as they came, and the whole answer."""
        query = [domain, 0, limit, [["id", "ASC"]], fields, {"company": self.company, **context}]
        reply = yield self.plain(f"model.{model}.search_read", *query)
        return reply.read(Answer[list[msgspec.Raw]]).result, reply

    def search(self, model: str, domain: list[Any], fields: Sequence[str], kind: type[T], **context: Any) -> Talk[list[T]]:
        """All records of a domain."""
        raws, _ = yield from self.rows(model, domain, fields, **context)
        return [msgspec.json.decode(raw, type=kind) for raw in raws]

    def each(self, items: list[T], call: Callable[[list[T]], Call]) -> Talk[dict[T, Reject]]:
        """One call for all; where it is refused as a whole it is halved, until what spoils it stands alone. Returns the refused ones."""
        try:
            yield from self._insist(call(items))
        except Reject as refused:
            if len(items) == 1:
                return {items[0]: refused}
            half = len(items) // 2
            return (yield from self.each(items[:half], call)) | (yield from self.each(items[half:], call))
        return {}

    def _insist(self, call: Call) -> Talk[Reply]:
        """Make the call; what Tryton warns of is acknowledged, as a user would, and the call made again."""
        for _ in range(WARNINGS_MAX):
            try:
                return (yield call)
            except Warned as warned:
                (user,) = yield from self.search("res.user", [["login", "=", self.login]], ["login"], _User)
                yield self.on("res.user.warning.create", [{"user": user.id, "name": warned.name, "always": False}])
        raise Reject(f"{call.operation}: Tryton warned {WARNINGS_MAX} times")
