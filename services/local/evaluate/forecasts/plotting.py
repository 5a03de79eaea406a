"""Plotting: how often there was a space, by the chance that was told. Needs the extra `evaluate`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from services.local.evaluate.forecasts.comparing import reliability
from services.local.evaluate.forecasts.measuring import Measured

HORIZONS_MIN = (15, 30)
_EDGES = np.linspace(0.1, 0.9, 9)
_FEWEST = 10
"""Cases of a bin that is drawn."""
_MANY = 400
"""Cases of a bin that make a large dot."""


def plot_reliability(measured: Sequence[Measured], path: Path) -> None:
    """Draw a panel for each recording; the form follows the file's ending, .svg or .png.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl  # noqa: PLC0415 (an optional extra)

    mpl.use("Agg")
    mpl.rcParams |= {"svg.hashsalt": "bowei", "svg.fonttype": "none", "font.size": 8}
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, panels = plt.subplots(1, len(measured), figsize=(2.4 * len(measured), 2.7), sharey=True, squeeze=False)
    for panel, one in zip(panels[0], measured, strict=True):
        panel.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
        for minutes, colour in zip(HORIZONS_MIN, ("#1f6f8b", "#c8553d"), strict=True):
            drawn = [row for row in reliability(one, minutes, _EDGES) if row[2] >= _FEWEST]
            told, came, cases = zip(*drawn, strict=True) if drawn else ((), (), ())
            sizes = 4 + 30 * np.sqrt(np.minimum(np.array(cases) / _MANY, 1.0))
            panel.plot(told, came, color=colour, linewidth=0.8)
            panel.scatter(told, came, s=sizes, color=colour, label=f"{minutes} min")
        panel.set(title=one.name, xlabel="chance told", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    panels[0][0].set_ylabel("share with a space")
    panels[0][0].legend(loc="upper left", frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)
