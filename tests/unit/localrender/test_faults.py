"""Faults strike the requests they match, as often as they are told to."""

from localrender.faults import Fault, FaultKind, Faults


def strikes(fault: Fault, *requests: tuple[str, str]) -> list[bool]:
    faults = Faults()
    faults.arm(fault)
    return [faults.strike(method, path) is not None for method, path in requests]


def test_a_fault_strikes_only_its_method_and_path() -> None:
    fault = Fault(FaultKind.STATUS, method="POST", path="/deploys$", count=None)

    struck = strikes(fault, ("GET", "/v1/services/s/deploys"), ("POST", "/v1/services/s/deploys"), ("POST", "/v1/x"))

    assert struck == [False, True, False]


def test_a_fault_is_over_after_its_count() -> None:
    assert strikes(Fault(FaultKind.HTML, count=2), *[("GET", "/v1/users")] * 4) == [True, True, False, False]


def test_a_fault_lets_the_first_requests_pass() -> None:
    assert strikes(Fault(FaultKind.HTML, after=2), *[("GET", "/v1/users")] * 4) == [False, False, True, False]


def test_a_drop_after_takes_effect_and_a_drop_before_does_not() -> None:
    assert Fault(FaultKind.DROP_AFTER).takes_effect
    assert not Fault(FaultKind.DROP_BEFORE).takes_effect
    assert Fault(FaultKind.STATUS, acts=True).takes_effect
