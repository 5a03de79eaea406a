"""The demo's terminal: what fits into the smallest usual one."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from rich.cells import cell_len
from rich.console import Console

from services.local.demo.counting import Diverted, Figures, PromiseWatch, Tally
from services.local.demo.pace import Pace
from services.local.demo.scene import load_scene
from services.local.demo.screen import Screen
from services.local.demo.secrets_folder import public_pem
from services.local.demo.world import World

AT = datetime(2026, 3, 1, 23, tzinfo=UTC)


class _Standing:
    def now(self) -> datetime:
        return AT


def _drawn(width: int, height: int) -> list[str]:
    pem = public_pem(generate_private_key(public_exponent=65537, key_size=2048))
    scene = load_scene("hangzhou", {"citybrain-in77": pem, "citybrain-example": pem})
    tally = Tally(cars=1_234, refused_unfenced=3)
    figures = Figures(tally, PromiseWatch(tally, {}, scene.agreements, scene.calendars))
    for number in range(12):
        figures.recent.append(Diverted(AT, "first-hospital", f"car-{number}", scene.lots[1].lot_id, "90 s drive"))
    world = World(scene.lots, scene.hospitals, scene.agreements, scene.calendars, Pace(_Standing(), 60.0), "1")
    console = Console(width=width, height=height, color_system=None, force_terminal=True)
    with console.capture() as shown:
        console.print(Screen(world, figures, {}, "1"))
    return shown.get().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (120, 45), (200, 60)])
def test_names_promises_and_diversions_fit_the_terminal(width: int, height: int) -> None:
    """A newcomer reads whole names, the count of broken promises and the last diversion in the window there is."""
    lines = _drawn(width, height)
    text = "\n".join(lines)
    assert len(lines) <= height - 1
    assert max(map(cell_len, lines)) <= width
    assert "broken\N{NO-BREAK SPACE}promises\N{NO-BREAK SPACE}0" in text
    assert "示例解放路公共停车场" in text
    assert "90 s drive" in text


def test_a_wide_terminal_shows_the_ids_that_the_api_uses() -> None:
    """Who reads no Chinese finds there what the answers and the column "why" call a lot."""
    assert "example-jiefang" in "\n".join(_drawn(120, 45))
    assert "example-jiefang" not in "\n".join(_drawn(80, 24))
