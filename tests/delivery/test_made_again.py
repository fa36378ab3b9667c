"""What was done before and may be lost there: it is looked for under its key, and sent only where it is not there any more."""

import asyncio

import pytest
from msgspec.structs import replace

from mainstay.contract.talk import Reply
from mainstay.model.failures import Reject
from tests.delivery.test_lanes import Script, a_cancel, a_capture, a_release


@pytest.mark.parametrize("lost", [a_release("k"), a_capture("k"), a_cancel("k")], ids=lambda one: type(one).__name__)
def test_what_was_done_before_is_looked_for_and_not_sent_where_it_is_there(desk, run, lost):
    desk.answer = lambda path, body: b"found"
    desk.add(1, replace(lost, again=True), entity=7)
    run(desk.until_over(1))
    assert desk.paths() == ["/look_up/k"] and desk.told_again() == [("k", "done", True, True)]


@pytest.mark.parametrize("lost", [a_release("k"), a_capture("k"), a_cancel("k")], ids=lambda one: type(one).__name__)
def test_what_is_not_there_any_more_is_sent_once_under_its_key(desk, run, lost):
    desk.add(1, replace(lost, again=True), entity=7)
    run(desk.until_over(1))
    assert len(desk.paths()) == 2 and desk.said() == [["k"]] and desk.told_again() == [("k", "done", True, False)]


def test_what_cannot_be_looked_up_and_would_be_doubled_is_refused_by_name(desk, run):
    def answer(path, body):
        raise Reject("paper cannot look that up", "not_capable")

    desk.answer = answer
    desk.add(1, replace(a_release("k"), again=True), entity=7)
    run(desk.until_over(1))
    assert desk.said() == [] and desk.told_again() == [("k", "rejected", True, False)]


def test_what_needs_no_look_up_is_said_again(desk, run):
    """An upsert, or a number that is set: the connector has no look-up for it, or has none at all."""

    def answer(path, body):
        if path.startswith("/look_up"):
            raise Reject("not needed", "not_capable")
        return b""

    desk.answer = answer
    desk.add(1, replace(a_cancel("k"), again=True), entity=7)
    run(desk.until_over(1))
    assert desk.said() == [["k"]] and desk.told_again() == [("k", "done", True, False)]


def test_a_look_up_that_fails_is_no_leave_to_send(desk, run):
    desk.answer = Script(Reply(503), Reply(503), b"found")
    desk.add(1, replace(a_capture("k"), again=True), entity=7)
    run(desk.until_over(1))
    assert desk.paths() == ["/look_up/k"] * 3 and desk.said() == []


def test_after_a_crash_it_is_looked_for_again_before_anything_is_sent(desk, run):
    """It was not there, and was sent; the answer was lost with the process."""
    there = []

    async def answer(path, body):
        if path.startswith("/look_up"):
            return b"found" if there else b""
        there.append(path)
        await asyncio.sleep(1_000)
        return b""

    desk.answer = answer
    desk.add(1, replace(a_capture("k"), again=True), entity=7)
    run(desk.killed_after(10))
    desk.open()
    desk.add(1, replace(a_capture("k"), again=True), entity=7, restarted=True)
    run(desk.until_over(1))
    assert there == ["/capture"] and desk.told_again() == [("k", "done", True, True)]
