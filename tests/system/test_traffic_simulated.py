"""The traffic evaluation on its real simulator: only where the extra `evaluate` is installed.

It is an extra of 200 MB that the product never needs, so there is nothing here where it is missing.
"""

from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("libsumo") is not None:
    from services.local.evaluate.traffic.command import TrafficOptions, evaluate_traffic
    from services.local.evaluate.traffic.results import Results

    @pytest.mark.timeout(400)
    def test_the_quick_evaluation_parks_everybody_and_is_not_run_twice(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nobody of ours queues or is left in the street, no promise is broken, and a second call runs nothing."""
        options = TrafficOptions(tmp_path / "traffic.jsonl", quick=True)
        assert evaluate_traffic(options) == 0
        found = {line["policy"]: line["measures"] for line in Results(options.results).lines}
        assert found.keys() == {"room", "visible", "native", "ours"}
        assert found["room"]["extra_mean_s"] == 0
        ours = found["ours"]
        assert (ours["never_parked"], ours["broken_promises"]) == (0, 0)
        assert ours["queue_max"] <= 5
        assert ours["diverted"] > 50
        capsys.readouterr()
        assert evaluate_traffic(options) == 0
        assert capsys.readouterr().out == ""
