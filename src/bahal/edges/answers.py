"""How a refusal leaves by HTTP: its status, and the same JSON as everywhere."""

from collections.abc import Mapping

from django.http import JsonResponse

from bahal.shared.errors import Refusal

STATUS: Mapping[str, int] = {
    "body_malformed": 400,
    "api_key_missing": 401,
    "report_unsigned": 401,
    "webhook_unsigned": 401,
    "bill_has_no_lines": 404,
    "bill_line_unknown": 404,
    "bill_unknown": 404,
    "connection_unknown": 404,
    "consumer_day_unknown": 404,
    "order_unknown": 404,
    "key_reused_with_other_body": 409,
    "database_away": 503,
    "lake_unknown": 503,
    "supply_busy": 503,
}
DEFAULT_STATUS = 422
RETRY_AFTER_S = 1


class DatabaseAway(Refusal):
    """The database does not answer; whether the act happened is not known, and asking again by the same key tells."""

    code = "database_away"
    hi = "डेटाबेस इस समय उत्तर नहीं दे रहा: इसी कुंजी से फिर प्रयास करें।"
    en = "The database does not answer now: try again with the same key."


def refused(refusal: Refusal) -> JsonResponse:
    """The answer to a request that was refused."""
    status = STATUS.get(refusal.code, DEFAULT_STATUS)
    response = JsonResponse(refusal.as_json(), status=status, json_dumps_params={"ensure_ascii": False})
    if status == 503:
        response["Retry-After"] = str(RETRY_AFTER_S)
    return response
