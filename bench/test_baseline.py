"""What bench.check concludes, from numbers that are made up; nothing is measured."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import baseline, check
from bench.baseline import BaselineError, Finding, Verdict

BEFORE = {"step": 2.0, "call": 1.0}
MARGINS = {"step": 0.10, "call": 0.06}


def verdicts(values: dict[str, float]) -> dict[str, Verdict]:
    return {finding.case: finding.verdict for finding in baseline.compare(values, BEFORE, MARGINS)}


def test_what_lies_within_the_margin_passes() -> None:
    assert verdicts({"step": 2.19, "call": 0.95}) == {"step": Verdict.SAME, "call": Verdict.SAME}


def test_what_is_slower_by_more_than_its_own_margin_fails() -> None:
    found = verdicts({"step": 2.14, "call": 1.07})
    assert found == {"step": Verdict.SAME, "call": Verdict.SLOWER}
    assert found["call"].fails


def test_what_is_faster_is_told_and_passes() -> None:
    found = verdicts({"step": 1.8, "call": 1.0})
    assert found == {"step": Verdict.FASTER, "call": Verdict.SAME}
    assert not found["step"].fails


def test_a_case_without_its_counterpart_fails() -> None:
    found = verdicts({"step": 2.0, "batch": 1.0})
    assert found == {"step": Verdict.SAME, "batch": Verdict.NEW, "call": Verdict.GONE}
    assert found["batch"].fails
    assert found["call"].fails


def test_change() -> None:
    assert Finding("step", 0.1, 2.0, 2.5).change == 0.25
    assert Finding("step", 0.1, None, 2.5).change is None


def test_a_machine_finds_what_was_saved_for_it(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    baseline.save(path, "one", {"step": 1.0}, commit="a")
    baseline.save(path, "other", {"step": 2.0}, commit="b")
    baseline.save(path, "one", {"step": 3.0}, commit="c")
    assert baseline.load(path, "one") == {"step": 3.0}
    assert baseline.load(path, "other") == {"step": 2.0}


def test_another_machine_is_told_which_there_are(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    baseline.save(path, "a machine", {"step": 1.0})
    with pytest.raises(BaselineError, match=r"(?s)no baseline.*another machine.*a machine"):
        baseline.load(path, "another machine")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"machines": []}',
        '{"machines": {"m": {}}}',
        '{"machines": {"m": {"values": {"step": "1"}}}}',
        '{"machines": {"m": {"values": {"step": 0}}}}',
        '{"machines": {"m": {"values": {"step": NaN}}}}',
    ],
)
def test_a_broken_file_is_no_baseline(text: str, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(text)
    with pytest.raises(BaselineError, match="is not a baseline"):
        baseline.load(path, "m")
    with pytest.raises(BaselineError, match="is not a baseline"):
        baseline.save(path, "m", {"step": 1.0})  # the other machines' values are in it
    assert path.read_text() == text


def test_a_missing_file_is_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="is not there"):
        baseline.load(tmp_path / "baseline.json", "m")


class _Race:
    """Has the values of the attempts ready."""

    def __init__(self, *attempts: dict[str, float]) -> None:
        self._attempts: Iterator[dict[str, float]] = iter(attempts)

    def measure(self, seconds: float) -> dict[str, float]:
        return dict(next(self._attempts))


def checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *races: _Race) -> bool:
    path = tmp_path / "baseline.json"
    baseline.save(path, check.machine(), BEFORE)
    monkeypatch.setattr(check, "RACES", races)
    monkeypatch.setattr(check, "MARGINS", MARGINS)
    monkeypatch.setattr(check, "PAUSE_SECONDS", 0)
    return check.check(path, 0)


def test_a_case_is_measured_again_until_it_passes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call, step = _Race({"call": 1.0}), _Race({"step": 3.0}, {"step": 2.5}, {"step": 2.1})
    assert checked(monkeypatch, tmp_path, call, step)
    assert "step (+25%)" in capsys.readouterr().out


def test_a_case_that_is_faster_each_time_passes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call, step = _Race({"call": 0.5}, {"call": 0.97}), _Race(*[{"step": 1.0}] * check.ATTEMPTS)
    assert checked(monkeypatch, tmp_path, call, step)
    output = capsys.readouterr().out
    assert "call (-50%)" in output
    assert "| call | 1.000 | 0.970 |  -3.0% |     6% | as before |" in output
    assert "| step | 2.000 | 1.000 | -50.0% |    10% |    faster |" in output
    assert "make bench-baseline" in output


def test_a_case_that_is_slower_each_time_fails_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call, step = _Race({"call": 1.0}), _Race(*[{"step": 2.4}] * check.ATTEMPTS)
    assert not checked(monkeypatch, tmp_path, call, step)
    output = capsys.readouterr().out
    assert "FAILED: step" in output
    assert "| step | 2.000 | 2.400 | +20.0% |    10% |" in output


def test_the_status_tells_a_missing_baseline_from_a_slower_case(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "pin", lambda: None)
    monkeypatch.setattr("sys.argv", ["check", f"--baseline={tmp_path / 'baseline.json'}"])
    with pytest.raises(SystemExit) as exit_info:
        check.main()
    assert exit_info.value.code == 2
    assert "make bench-baseline" in capsys.readouterr().err
