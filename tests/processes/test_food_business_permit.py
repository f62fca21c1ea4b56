"""食品经营许可, from application to issue: every way the diagram and its steps allow."""

from __future__ import annotations

from tests.processes import answers as a
from tests.processes.story import Hall, Story

GRANT = ("acceptance_notice", "inspection_record", "grant_decision", "food_permit", "issue_receipt")


def begun(hall: Hall, **changed: object) -> Story:
    return hall.story("food_business_permit").does("register_application", a.food_application(**changed))


def accepted(hall: Hall, **changed: object) -> Story:
    return begun(hall, **changed).does("check_materials", a.COMPLETE)


def inspects(story: Story, conclusion: str = "pass") -> Story:
    points = story.sees("inspect")["variables"]["inspection_points"]
    return story.does("inspect", a.inspection(points, conclusion))


def inspected(hall: Hall, **changed: object) -> Story:
    return inspects(accepted(hall, **changed)).does("confirm_inspection", a.CONFIRMED)


def decided(hall: Hall, **changed: object) -> Story:
    return inspected(hall, **changed).does("examine", a.PROPOSES_GRANT).does("decide", a.GRANTED)


def test_granted_and_handed_over_at_the_counter(hall: Hall) -> None:
    story = begun(hall)
    assert story.open == ["check_materials"]
    assert story.view["milestone"] == "received"
    story.does("check_materials", a.COMPLETE)
    assert story.view["milestone"] == "accepted"
    assert story.deadlines() == {"correction_check": "met", "statutory": "running", "promised": "running"}
    inspects(story).does("confirm_inspection", a.CONFIRMED).does("examine", a.PROPOSES_GRANT)
    story.does("decide", a.GRANTED)
    assert story.deadlines() | {"delivery": "running"} == {
        "correction_check": "met",
        "statutory": "met",
        "promised": "met",
        "delivery": "running",
    }
    story.does("make_certificate", a.CERTIFICATE).does("hand_over", a.HANDED_OVER)
    story.ends("granted", "receipt", *GRANT)
    assert story.deadlines()["delivery"] == "met"


def test_the_result_goes_by_post(hall: Hall) -> None:
    story = decided(hall, delivery=a.BY_POST).does("make_certificate", a.CERTIFICATE)
    assert story.open == ["post_result"]
    story.does("post_result", a.POSTED).ends("granted", "receipt", *GRANT)


def test_the_decision_maker_returns_a_file_and_the_examiner_reads_why(hall: Hall) -> None:
    story = inspected(hall).does("examine", a.PROPOSES_GRANT)
    before = story.deadline("statutory")
    story.returns("decide", "examine", "请核对操作区面积")
    assert story.open == ["examine"]
    told = story.sees("examine")["returned"]
    assert (told["reason"], told["element"]) == ("请核对操作区面积", "examination_and_decision/decide")
    assert story.deadline("statutory") == before, "the law's clock does not stop for work inside the agency"
    story.does("examine", a.PROPOSES_GRANT).does("decide", a.GRANTED)
    story.does("make_certificate", a.CERTIFICATE).does("hand_over", a.HANDED_OVER)
    story.ends("granted", "receipt", *GRANT)


def test_a_wrong_certificate_found_at_the_counter_is_made_again_and_replaces_the_first(hall: Hall) -> None:
    story = decided(hall).does("make_certificate", a.CERTIFICATE)
    assert [place["name"] for place in story.sees("hand_over")["returns"]] == ["编号制证"]
    story.returns("hand_over", "certificate_step/make_certificate", "经营场所地址有误")
    assert story.open == ["make_certificate"]
    story.does("make_certificate", a.CERTIFICATE).does("hand_over", a.HANDED_OVER)
    issued = [row["detail"] for row in story.history() if row["kind"] == "document.issued"]
    [first, second] = [detail for detail in issued if detail["kind"] == "food_permit"]
    assert second["replaces"] == (first["number"] or first["document"])
    story.ends("granted", "receipt", *GRANT[:3], "food_permit", "food_permit", "issue_receipt")


def test_the_second_inspector_returns_the_record_to_the_first(hall: Hall) -> None:
    story = inspects(accepted(hall)).returns("confirm_inspection", "inspect", "面积记录有误")
    inspects(story).does("confirm_inspection", a.CONFIRMED)
    assert story.open == ["examine"]
    story.withdraws()


def test_an_inspector_takes_the_record_back_before_the_second_has_looked(hall: Hall) -> None:
    story = accepted(hall)
    first = story.task("inspect")["id"]
    inspects(story)
    answer = hall.ask("inspector1", "POST", f"/api/tasks/{first}/recall")
    assert answer.status_code == 200, answer.text
    assert story.open == ["inspect"]
    assert story.sees("inspect")["draft"]["conclusion"] == "pass"
    inspects(story).does("confirm_inspection", a.CONFIRMED)
    late = hall.ask("inspector1", "POST", f"/api/tasks/{first}/recall")
    assert (late.status_code, late.json()["code"]) == (409, "acted_since")
    story.withdraws()


def test_an_electronic_result_needs_nobody_at_the_counter(hall: Hall) -> None:
    story = decided(hall, delivery={"method": "electronic"}).does("make_certificate", a.CERTIFICATE)
    story.ends("granted", "receipt", *GRANT)


def test_a_slip_is_put_right_on_the_spot(hall: Hall) -> None:
    story = begun(hall).does("check_materials", a.FIX).does("fix_on_spot", a.FIXED)
    assert story.open == ["check_materials"]
    assert story.deadline("correction_check")["status"] == "running"
    story.does("check_materials", a.FIX).does("fix_on_spot", a.FIXED).does("check_materials", a.COMPLETE)
    inspects(story).does("confirm_inspection", a.CONFIRMED).does("examine", a.PROPOSES_GRANT)
    story.does("decide", a.GRANTED).does("make_certificate", a.CERTIFICATE).does("hand_over", a.HANDED_OVER)
    story.ends("granted", "receipt", *GRANT)


def test_a_second_notice_may_name_only_what_the_first_named(hall: Hall) -> None:
    story = begun(hall).does("check_materials", a.correction("M01", "M03"))
    assert story.open == ["register_resubmission"]
    assert story.deadlines()["correction_period"] == "running"
    story.does("register_resubmission", a.RESUBMITTED)
    assert story.deadline("correction_check")["status"] == "running"
    story.does("check_materials", a.correction("M06"))
    assert story.open == ["check_materials"]
    assert story.papers().count("correction_notice") == 1
    story.does("check_materials", a.correction("M03")).does("register_resubmission", a.RESUBMITTED)
    story.does("check_materials", a.COMPLETE)
    inspects(story).does("confirm_inspection", a.CONFIRMED).does("examine", a.PROPOSES_GRANT)
    story.does("decide", a.GRANTED).does("make_certificate", a.CERTIFICATE).does("hand_over", a.HANDED_OVER)
    story.ends("granted", "receipt", "correction_notice", "receipt", "correction_notice", "receipt", *GRANT)


def test_an_applicant_told_nothing_in_five_working_days_is_accepted_from_the_day_of_receipt(hall: Hall) -> None:
    story = begun(hall)
    received = story.deadline("correction_check")["started_at"]
    check = story.task("check_materials")["id"]
    story.passes("correction_check")
    assert story.open == ["inspect"]
    assert story.view["milestone"] == "accepted"
    assert story.deadline("statutory")["started_at"] == received
    assert story.deadline("promised")["started_at"] == received
    late = hall.ask("reviewer1", "POST", f"/api/tasks/{check}/complete", {"answers": a.COMPLETE})
    assert (late.status_code, late.json()["code"]) == (409, "task_lapsed")
    inspects(story).does("confirm_inspection", a.CONFIRMED).does("examine", a.PROPOSES_GRANT)
    if "supervise" in story.open:
        story.does("supervise", a.SUPERVISED)
    story.does("decide", a.GRANTED).does("make_certificate", a.CERTIFICATE).does("hand_over", a.HANDED_OVER)
    story.ends("granted", "receipt", *GRANT)


def test_an_open_fix_on_the_spot_does_not_stop_the_five_days(hall: Hall) -> None:
    story = begun(hall).does("check_materials", a.FIX).passes("correction_check")
    assert story.open == ["inspect"]
    story.withdraws().ends("withdrawn", "receipt", "acceptance_notice", "withdrawal_notice")


def test_an_applicant_who_does_not_come_back_has_withdrawn(hall: Hall) -> None:
    story = begun(hall).does("check_materials", a.correction("M01")).passes("correction_period")
    story.ends("lapsed", "receipt", "correction_notice", "withdrawal_notice")


def test_what_needs_no_licence_is_not_accepted(hall: Hall) -> None:
    story = begun(hall).does("check_materials", a.NOT_REQUIRED)
    story.ends("not_accepted", "receipt", "non_acceptance_notice")


def test_what_is_another_agencys_is_not_accepted_and_the_applicant_is_told_where_to_go(hall: Hall) -> None:
    story = begun(hall).does("check_materials", a.NOT_COMPETENT)
    story.ends("not_accepted", "receipt", "non_acceptance_notice")
    notice = next(d for d in story.view["documents"] if d["kind"] == "non_acceptance_notice")
    page = hall.ask("reviewer1", "GET", f"/api/documents/{notice['id']}")
    assert "演示区市场监督管理局" in page.text


def test_the_second_inspector_objects_and_the_first_records_again(hall: Hall) -> None:
    story = inspects(accepted(hall)).does("confirm_inspection", a.OBJECTED)
    assert story.open == ["inspect"]
    inspects(story).does("confirm_inspection", a.OBJECTED)
    inspects(story).does("confirm_inspection", a.CONFIRMED).does("examine", a.PROPOSES_GRANT)
    story.does("decide", a.GRANTED).does("make_certificate", a.CERTIFICATE).does("hand_over", a.HANDED_OVER)
    story.ends("granted", "receipt", *GRANT)


def test_inspected_again_sent_back_twice_and_denied(hall: Hall) -> None:
    story = inspected(hall).does("examine", a.ASKS_INSPECTION)
    inspects(story, "fail").does("confirm_inspection", a.CONFIRMED).does("examine", a.ASKS_INSPECTION)
    inspects(story, "fail").does("confirm_inspection", a.CONFIRMED).does("examine", a.PROPOSES_DENIAL)
    story.does("decide", a.RETURNED).does("examine", a.PROPOSES_DENIAL).does("decide", a.RETURNED)
    story.does("examine", a.PROPOSES_DENIAL).does("decide", a.DENIED).does("hand_over", a.HANDED_OVER)
    records = ["inspection_record"] * 3
    story.ends("denied", "receipt", "acceptance_notice", *records, "denial_decision", "issue_receipt")


def test_a_denial_gives_reason_and_remedies(hall: Hall) -> None:
    story = inspected(hall, delivery=a.BY_POST).does("examine", a.PROPOSES_DENIAL).does("decide", a.DENIED)
    story.does("post_result", a.POSTED)
    story.ends("denied", "receipt", "acceptance_notice", "inspection_record", "denial_decision", "issue_receipt")
    decision = next(d for d in story.view["documents"] if d["kind"] == "denial_decision")
    page = hall.ask("head1", "GET", f"/api/documents/{decision['id']}").text
    assert "操作区不符合要求" in page
    assert "行政复议" in page
    assert "行政诉讼" in page


def test_withdrawn_before_acceptance(hall: Hall) -> None:
    begun(hall).withdraws().ends("withdrawn", "receipt", "withdrawal_notice")


def test_withdrawn_after_acceptance(hall: Hall) -> None:
    accepted(hall).withdraws().ends("withdrawn", "receipt", "acceptance_notice", "withdrawal_notice")


def test_withdrawn_while_correcting(hall: Hall) -> None:
    story = begun(hall).does("check_materials", a.correction("M01")).withdraws()
    story.ends("withdrawn", "receipt", "correction_notice", "withdrawal_notice")


def test_withdrawn_before_the_decision(hall: Hall) -> None:
    story = inspected(hall).does("examine", a.PROPOSES_GRANT).withdraws()
    story.ends("withdrawn", "receipt", "acceptance_notice", "inspection_record", "withdrawal_notice")


def test_after_the_decision_it_is_too_late_to_withdraw(hall: Hall) -> None:
    story = decided(hall).withdraws(status=409)
    story.does("make_certificate", a.CERTIFICATE).does("hand_over", a.HANDED_OVER)
    story.ends("granted", "receipt", *GRANT)


def test_an_overdue_case_is_supervised_beside_and_goes_on(hall: Hall) -> None:
    story = inspects(accepted(hall)).passes("statutory")
    assert story.open == ["confirm_inspection", "supervise"]
    assert story.deadlines()["statutory"] == "breached"
    story.does("confirm_inspection", a.CONFIRMED).does("examine", a.PROPOSES_GRANT).does("decide", a.GRANTED)
    story.does("make_certificate", a.CERTIFICATE).does("hand_over", a.HANDED_OVER)
    assert story.view["status"] == "active"
    story.does("supervise", a.SUPERVISED).ends("granted", "receipt", *GRANT)
    assert story.deadlines()["statutory"] == "breached"


def test_one_inspector_cannot_be_both(hall: Hall) -> None:
    story = inspects(accepted(hall))
    story.refuses("confirm_inspection", a.CONFIRMED, by="inspector1", status=403, code="same_actor_not_allowed")
    told = {by: story.sees("confirm_inspection", by=by) for by in ("inspector1", "inspector2")}
    assert [(told[by]["may_complete"], told[by]["why_not"]) for by in told] == [(False, "distinct"), (True, "")]


def test_another_role_may_not_decide(hall: Hall) -> None:
    story = inspected(hall).does("examine", a.PROPOSES_GRANT)
    story.refuses("decide", a.GRANTED, by="examiner1", status=403, code="forbidden")


def test_a_denial_without_reason_is_refused_field_by_field(hall: Hall) -> None:
    story = inspected(hall).does("examine", a.PROPOSES_DENIAL)
    story.refuses("decide", {"result": "denied"}, by="head1", status=422, code="form_invalid")


def test_a_correction_that_names_nothing_is_refused(hall: Hall) -> None:
    nothing = {"rows": a.checked(*a.FOOD), "result": "correction"}
    begun(hall).refuses("check_materials", nothing, by="reviewer1", status=422, code="form_invalid")
