"""The lifecycle's table: no state is unreachable, none is a trap, and what is not in it is refused in words."""

import pytest

from mainstay.model.state import OrderState
from mainstay.orders.moves import BEFORE_RELEASE, MOVES, OPEN, diagram, move

FINAL = {"settled", "cancelled"}


def reached(start: str) -> set[str]:
    """Every state that some sequence of moves leads to."""
    found, todo = set(), [start]
    while todo:
        state = todo.pop()
        todo += [after for after in MOVES[state].values() if after not in found]
        found.update(MOVES[state].values())
    return found


def test_every_state_can_be_reached():
    assert reached(OrderState(id=1, uid="", system="", external="").status) | {"new"} == set(MOVES)


@pytest.mark.parametrize("state", sorted(MOVES))
def test_every_way_leads_to_an_end(state):
    assert bool(MOVES[state]) != (state in FINAL), "only an end has no way out"
    assert state in FINAL or reached(state) & FINAL, f"an order that is {state} can never end"


def test_the_sets_are_those_of_the_table():
    assert set(MOVES) - FINAL == OPEN and set(MOVES) > BEFORE_RELEASE
    assert all("cancel" in MOVES[state] for state in BEFORE_RELEASE), "until it is released an order can be cancelled at once"
    assert not any("cancel" in MOVES[state] for state in ("part_shipped", "shipped", "invoiced", "settled")), (
        "goods that left are not undone"
    )


@pytest.mark.parametrize(
    ("state", "name", "text"),
    [
        ("placed", "settle", "an order that is placed cannot settle; it can: cancel, hold, pay, ship, ship_part"),
        ("settled", "pay", "an order that is settled cannot pay; it can: nothing more"),
    ],
)
def test_a_move_that_is_not_in_the_table_says_what_is(state, name, text):
    with pytest.raises(ValueError) as refused:
        move(state, name)
    assert str(refused.value) == text


def test_the_diagram_is_drawn_from_the_table():
    lines = diagram().splitlines()
    assert "    placed --> paid: pay" in lines and lines[0] == "stateDiagram-v2"
    assert len(lines) == 4 + sum(map(len, MOVES.values()))
