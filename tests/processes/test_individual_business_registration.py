"""个体工商户设立登记: one counter visit, and what happens when it takes more."""

from __future__ import annotations

from tests.processes import answers as a
from tests.processes.story import Hall, Story


def begun(hall: Hall, **changed: object) -> Story:
    return hall.story("individual_business_registration").does("register_application", a.shop_application(**changed))


def test_registered_and_handed_over_in_one_visit(hall: Hall) -> None:
    story = begun(hall)
    assert story.open == ["register_business"]
    assert story.deadlines() == {"statutory": "running"}
    story.does("register_business", a.REGISTERED).does("hand_over", a.HANDED_OVER)
    story.ends("granted", "receipt", "business_licence", "issue_receipt")
    assert story.deadlines() == {"statutory": "met", "delivery": "met"}


def test_the_licence_goes_by_post(hall: Hall) -> None:
    story = begun(hall, delivery=a.BY_POST).does("register_business", a.REGISTERED).does("post_result", a.POSTED)
    story.ends("granted", "receipt", "business_licence", "issue_receipt")


def test_an_electronic_licence_ends_the_case_at_once(hall: Hall) -> None:
    story = begun(hall, delivery={"method": "electronic"}).does("register_business", a.REGISTERED)
    story.ends("granted", "receipt", "business_licence", "issue_receipt")


def test_refused_with_reason(hall: Hall) -> None:
    story = begun(hall).does("register_business", a.REFUSED).does("hand_over", a.HANDED_OVER)
    story.ends("denied", "receipt", "denial_decision", "issue_receipt")


def test_corrected_once(hall: Hall) -> None:
    story = begun(hall).does("register_business", a.SHOP_CORRECTION)
    assert story.deadlines() == {"statutory": "dropped", "correction_period": "running"}
    story.does("register_resubmission", a.SHOP_RESUBMITTED)
    assert story.deadline("statutory")["status"] == "running"
    story.does("register_business", a.REGISTERED).does("hand_over", a.HANDED_OVER)
    story.ends("granted", "receipt", "correction_notice", "receipt", "business_licence", "issue_receipt")


def test_corrected_twice(hall: Hall) -> None:
    story = begun(hall)
    for _ in range(2):
        story.does("register_business", a.SHOP_CORRECTION).does("register_resubmission", a.SHOP_RESUBMITTED)
    story.does("register_business", a.REGISTERED).does("hand_over", a.HANDED_OVER)
    again = ("correction_notice", "receipt") * 2
    story.ends("granted", "receipt", *again, "business_licence", "issue_receipt")


def test_the_applicant_gives_up(hall: Hall) -> None:
    story = begun(hall).does("register_business", a.SHOP_CORRECTION).does("register_resubmission", a.GIVEN_UP)
    story.ends("withdrawn", "receipt", "correction_notice", "withdrawal_notice")


def test_the_applicant_does_not_come_back(hall: Hall) -> None:
    story = begun(hall).does("register_business", a.SHOP_CORRECTION).passes("correction_period")
    story.ends("lapsed", "receipt", "correction_notice", "withdrawal_notice")


def test_only_the_registrar_of_the_department_registers(hall: Hall) -> None:
    story = begun(hall)
    story.refuses("register_business", a.REGISTERED, by="counter1", status=403, code="forbidden")


def test_a_wrong_credit_code_is_refused(hall: Hall) -> None:
    wrong = {**a.REGISTERED, "credit_code": "92999999MA00000000"}
    begun(hall).refuses("register_business", wrong, by="registrar1", status=422, code="form_invalid")
