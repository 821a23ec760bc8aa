"""Every question that a probe asks, so that its answer is yes or no, or could not be told."""

from __future__ import annotations

from enum import StrEnum


class Question(StrEnum):
    """The questions' names, in the order in which the report has them."""

    TOKEN_LIFETIME = "token-lifetime"  # noqa: S105 - the name of a question
    TOKEN_SCOPES = "token-scopes"  # noqa: S105 - as above
    EDIT_READS = "edit-reads"
    CREATE_AT_ZERO = "create-at-zero"
    CREATE_ANSWER = "create-answer"
    ANSWER_STATUS = "answer-status"
    TYPE_KEPT = "type-kept"
    EQUAL_NAMES = "equal-names"
    MARKER_SNOWID = "marker-snowid"
    MARKER_PRODUCTID = "marker-third_party_productid"
    MARKER_NOTES = "marker-notes"
    CREATE_LISTED = "create-listed"
    CHANGE_LISTED = "change-listed"
    READ_AT_ONCE = "read-at-once"
    READ_BY_ID = "read-by-id"
    UPDATE_ALONE = "update-alone"
    UPDATE_REFUSAL = "update-refusal"
    UPDATE_FRAME = "update-frame"
    UPDATE_REPEATED = "update-repeated"
    UPDATE_TO_ZERO = "update-to-zero"
    ANSWER_OF_SEVERAL = "answer-of-several"
    UNKNOWN_ID_READ = "unknown-id-read"
    UNKNOWN_ID_WRITTEN = "unknown-id-written"
    BAD_ROW = "bad-row"
    COUNT_WHOLE = "count-whole"
    PRICE_MEMBERS = "price-members"
    KNOWN_MEMBERS = "known-members"
    ENVELOPE = "envelope"
    PAGING = "paging"
    RECORD_COUNT = "record-count"
    ORDER = "order"
    TYPE_FILTER = "type-filter"
    INACTIVE_ASKED = "inactive-asked"
    INACTIVE_UNASKED = "inactive-unasked"
    DELETED_LISTED = "deleted-listed"
    PAGE_ROWS = "page-rows"
    UNPAGED_ROWS = "unpaged-rows"
    INVOICE_LINES = "invoice-lines"
    LIMIT_HEADERS = "limit-headers"
    LIMIT_RETRY_AFTER = "limit-retry-after"
    LIMIT_BODY = "limit-body"


ASKED: dict[Question, str] = {
    Question.TOKEN_LIFETIME: "Does the token's answer say how long it lives, as a whole number of seconds?",
    Question.TOKEN_SCOPES: "Does the token's answer name all scopes that were asked for?",
    Question.EDIT_READS: "May a token for edit:softwarelicensing read Subscriptions without read:softwarelicensing?",
    Question.CREATE_AT_ZERO: "Can a Subscription be created with the quantity 0, and has it that quantity then?",
    Question.CREATE_ANSWER: "Does the answer to a create name the new Subscription's id?",
    Question.ANSWER_STATUS: "Is a write that worked answered with 200?",
    Question.TYPE_KEPT: "Is what was created as a Subscription shown as a Subscription (type 1)?",
    Question.EQUAL_NAMES: "Can one customer have two Subscriptions of the same name?",
    Question.MARKER_SNOWID: "Does a listing give back what was written into snowid at the create?",
    Question.MARKER_PRODUCTID: "Does a listing give back what was written into third_party_productid at the create?",
    Question.MARKER_NOTES: "Does a listing give back what was written into notes at the create?",
    Question.CREATE_LISTED: "Does the first listing after a create show the new Subscription?",
    Question.CHANGE_LISTED: "Does the first listing after an update show the new quantity?",
    Question.READ_AT_ONCE: "Does a single read right after a write show it?",
    Question.READ_BY_ID: "Can one Subscription be read by its id alone, without the customer's?",
    Question.UPDATE_ALONE: "Is an update that holds an id and a count, and nothing else, taken?",
    Question.UPDATE_REFUSAL: "Does a refused update say in words which member is missing?",
    Question.UPDATE_FRAME: "Does an update of the count leave every other member as it was?",
    Question.UPDATE_REPEATED: "Is the same update taken a second time?",
    Question.UPDATE_TO_ZERO: "Can a quantity be set back to 0?",
    Question.ANSWER_OF_SEVERAL: "Does the answer to several updates have every one of them?",
    Question.UNKNOWN_ID_READ: "Is an id that does not exist answered with 404 when it is read?",
    Question.UNKNOWN_ID_WRITTEN: "Does an update of an id that does not exist leave nothing behind?",
    Question.BAD_ROW: "Are the good rows of a batch written where one row is bad?",
    Question.COUNT_WHOLE: "Is the quantity given as a whole number?",
    Question.PRICE_MEMBERS: "Does a Subscription's row have price and monthly_price, as numbers?",
    Question.KNOWN_MEMBERS: "Are all members of a row in HaloPSA's published text?",
    Question.ENVELOPE: 'Is the list of Subscriptions in the member "licences"?',
    Question.PAGING: "Does the second page hold other rows than the first?",
    Question.RECORD_COUNT: "Is record_count the number of rows of the whole list?",
    Question.ORDER: "Is the order kept that was asked for (by id, either way)?",
    Question.TYPE_FILTER: "Does licence_type leave rows of the other type out?",
    Question.INACTIVE_ASKED: "Does includeinactive decide whether inactive rows are listed?",
    Question.INACTIVE_UNASKED: "Are inactive rows listed where nothing is said of them?",
    Question.DELETED_LISTED: "Does a listing hold deleted rows?",
    Question.PAGE_ROWS: "Does a page hold as many rows as were asked for (1,000)?",
    Question.UNPAGED_ROWS: "Does a listing that asks for no pages hold all rows?",
    Question.INVOICE_LINES: "Does the list of recurring invoices hold their lines, with whose quantity they take?",
    Question.LIMIT_HEADERS: "Do answers tell in a header how many requests are left?",
    Question.LIMIT_RETRY_AFTER: "Does the answer at the request limit (429) say how long to wait?",
    Question.LIMIT_BODY: "Does the answer at the request limit (429) say so in words?",
}

MARKERS: dict[str, Question] = {
    "snowid": Question.MARKER_SNOWID,
    "third_party_productid": Question.MARKER_PRODUCTID,
    "notes": Question.MARKER_NOTES,
}
"""The question about each field that could carry a mapping's key."""
