"""What people fill in, in the stories: plainly invented names, telephone numbers and codes nobody can have."""

from __future__ import annotations

from typing import Any

PHONE = "19900000000"
ID_NUMBER = "999999199001010016"


def submitted(*codes: str) -> list[dict[str, Any]]:
    """The applicant's materials, all handed in."""
    return [{"code": code, "received": "submitted", "copies": 1} for code in codes]


def checked(*codes: str, defective: tuple[str, ...] = (), missing: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The clerk's verdict on each material."""
    rows: list[dict[str, Any]] = []
    for code in codes:
        row: dict[str, Any] = {"code": code, "status": "ok"}
        if code in defective:
            row = {"code": code, "status": "defective", "problem": "请补充签字"}
        if code in missing:
            row = {"code": code, "status": "missing", "problem": "请补交"}
        rows.append(row)
    return rows


FOOD = ("M01", "M02", "M03", "M04", "M05", "M06", "M07")
SHOP = ("M01", "M02", "M03", "M04")
PREMISES = {
    "street": "440103003",
    "address": "演示路 0 号",
    "area": 60,
    "tenure": "leased",
    "lease_until": "2030-01-01",
    "proof": "commitment",
}
BY_POST = {"method": "post", "recipient": "演示收件人", "phone": PHONE, "address": "演示路 0 号"}


def food_application(**changed: Any) -> dict[str, Any]:
    """食品经营许可：申请."""
    return {
        "applicant": {
            "name": "演示餐饮有限公司",
            "credit_code": "91999999MA0000000K",
            "kind": "enterprise_legal_person",
            "legal_representative": "演示甲",
            "address": "演示路 0 号",
        },
        "business_type": "catering",
        "activities": ["hot_food", "drinks"],
        "employees": 5,
        "health_certificates": 5,
        "safety_staff": [{"name": "演示乙", "post": "officer", "id_number": ID_NUMBER, "phone": PHONE}],
        "facilities": [{"kind": "cold", "name": "冷藏柜", "quantity": 2}],
        "premises": PREMISES,
        "has_agent": "no",
        "contact": {"name": "演示甲", "phone": PHONE},
        "materials": submitted(*FOOD),
        "delivery": {"method": "window"},
        "declared": True,
        **changed,
    }


def shop_application(**changed: Any) -> dict[str, Any]:
    """个体工商户设立登记：申请."""
    return {
        "business_name": "演示小吃店（个体工商户）",
        "applicant": {"name": "演示丙", "id_type": "resident_id", "id_number": ID_NUMBER, "phone": PHONE},
        "composition": "individual",
        "business_scope": "餐饮服务",
        "employees": 3,
        "premises": PREMISES,
        "has_agent": "no",
        "contact": {"name": "演示丙", "phone": PHONE},
        "materials": submitted(*SHOP),
        "delivery": {"method": "window"},
        "declared": True,
        **changed,
    }


COMPLETE = {"rows": checked(*FOOD), "result": "complete"}
FIX = {"rows": checked(*FOOD, defective=("M01",)), "result": "fix_on_spot", "spot_fix": "申请书漏签字"}
FIXED = {"corrected": "已签字", "corrected_by": "applicant", "signed": True}
NOT_REQUIRED = {"rows": checked(*FOOD), "result": "not_required", "reason": "所申请的经营活动依法不需要取得许可"}
NOT_COMPETENT = {
    "rows": checked(*FOOD),
    "result": "not_competent",
    "reason": "经营场所不在本行政区域",
    "competent_agency": "演示区市场监督管理局",
}


def correction(*missing: str) -> dict[str, Any]:
    """一次性补正告知."""
    return {"rows": checked(*FOOD, missing=missing), "result": "correction"}


RESUBMITTED = {"supplements": [{"name": "申请书", "copies": 1}], "handed_in_by": "applicant"}


def inspection(points: list[dict[str, Any]], conclusion: str = "pass") -> dict[str, Any]:
    """现场核查记录, one finding per point."""
    return {
        "inspected_on": "2026-11-25",
        "started_at": "09:30",
        "ended_at": "10:20",
        "place": "演示路 0 号",
        "officer_name": "演示核查员甲",
        "officer_number": "YS01",
        "identity_shown": True,
        "site_person": "演示甲",
        "points": [{"point": p["point"], "requirement": p["requirement"], "finding": "conform"} for p in points],
        "conclusion": conclusion,
    }


CONFIRMED = {"agreed": "yes", "officer_name": "演示核查员乙", "officer_number": "YS02"}
OBJECTED = {"agreed": "no", "objection": "面积记录有误", "officer_name": "演示核查员乙", "officer_number": "YS02"}
PROPOSES_GRANT = {"facts": "材料与现场一致", "opinion": "grant", "reason": "符合法定条件"}
ASKS_INSPECTION = {"facts": "布局图与现场不一致", "opinion": "inspect_again", "inspection_request": "复核操作区面积"}
PROPOSES_DENIAL = {
    "facts": "操作区不符合要求",
    "opinion": "deny",
    "reason": "不符合食品安全要求",
    "legal_basis": "《食品安全法》第三十三条",
}
GRANTED = {"result": "granted"}
RETURNED = {"result": "returned", "return_reason": "请补充现场情况说明"}
DENIED = {"result": "denied", "reason": "操作区不符合要求", "legal_basis": "《食品安全法》第三十三条"}
CERTIFICATE = {"number": "JY00000000000000", "valid_from": "2026-12-01", "valid_until": "2031-11-30", "checked": True}
HANDED_OVER = {
    "receiver": "applicant",
    "receiver_name": "演示甲",
    "identity_checked": True,
    "handed_on": "2026-12-02",
    "documents": 2,
}
POSTED = {"ems_number": "EY000000000CN", "posted_on": "2026-12-02", "documents": 2}
SUPERVISED = {
    "cause": "inspection",
    "cause_text": "现场核查排期过长",
    "responsible": "演示核查组",
    "decide_by": "2026-12-31",
    "measure": "urge",
}
REGISTERED = {
    "rows": checked(*SHOP),
    "result": "register",
    "credit_code": "92999999MA0000000G",
    "registered_on": "2026-11-23",
}
REFUSED = {
    "rows": checked(*SHOP),
    "result": "refuse",
    "reason": "经营场所依法不得登记",
    "legal_basis": "《市场主体登记管理条例》第十九条",
}
SHOP_CORRECTION = {"rows": checked(*SHOP, defective=("M01",)), "result": "correction"}
SHOP_RESUBMITTED = {"result": "resubmitted", "supplements": [{"name": "申请书", "copies": 1}]}
GIVEN_UP = {"result": "given_up", "given_up_reason": "申请人决定不再经营"}
