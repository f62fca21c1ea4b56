"""Random sound diagrams with a token game of their own: a witness beside the machine, and material for the gate."""

from tests.generator.blocks import grow
from tests.generator.catalogue import build
from tests.generator.drawing import draw

ROOT = "root"


def sound(seed: int, size: int = 9) -> tuple[dict[str, bytes], str]:
    """Files (process key to BPMN XML) and root key of a random sound diagram; the same seed gives the same bytes."""
    return draw(build(grow(seed, size))), ROOT


__all__ = ["ROOT", "build", "draw", "grow", "sound"]
