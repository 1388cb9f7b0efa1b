"""Refusals of complaints."""

from bahal.shared.errors import Refusal


class ComplaintUnknown(Refusal):
    """No such complaint, or it is another connection's."""

    code = "complaint_unknown"
    hi = "शिकायत {complaint} नहीं मिली।"
    en = "There is no complaint {complaint}."


class ComplaintEmpty(Refusal):
    """Nothing is said, or too much, or of no kind that we know."""

    code = "complaint_empty"
    hi = "शिकायत का विषय चुनें और {most} अक्षरों तक में लिखें कि क्या हुआ।"
    en = "Choose what the complaint is about and say in up to {most} characters what happened."


class ComplaintNotSo(Refusal):
    """As it stands this cannot happen to it."""

    code = "complaint_not_so"
    hi = "शिकायत {complaint} अभी जिस स्थिति में है, उसमें यह नहीं हो सकता: पृष्ठ फिर देखें।"
    en = "As complaint {complaint} stands, this cannot be done to it: look at it again."


class TooManyComplaints(Refusal):
    """So many are open already."""

    code = "complaints_too_many"
    hi = "आपकी {most} शिकायतें खुली हैं: पहले उनमें से एक बंद करें या उसी में लिखें।"
    en = "You have {most} open complaints: close one of them first, or write in it."
