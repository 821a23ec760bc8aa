"""The table of planted bugs. Where two guards stand behind each other, the bug takes both."""

from __future__ import annotations

Edits = tuple[tuple[str, str, str], ...]

CREATE, UPDATE, APPLY, WRITES = "writing.create:Creator", "writing.update:", "apply:", "writing.session:"
SENT = "providers.halo_writes:sent_rows"
TARGET = "providers.halopsa:HaloTarget"
LISTING = "providers.listing:PagedList"
COUNTS, BODY = "providers.halo_writes:counts_body", "providers.halo_writes:create_body"
COUNT_ELEMENT = '"count": write.count}'

BUGS: dict[str, Edits] = {
    # ---- create ---------------------------------------------------------------------------------------------------
    "blind retry of a create": (
        (
            f"{CREATE}._post",
            'return self.session.write("create", (entry,), request)',
            (
                'answer = self.session.write("create", (entry,), request)\n'
                '    return answer if isinstance(answer, Accepted) else self.session.write("create", (entry,), request)'
            ),
        ),
    ),
    "a POST that met a 5xx is sent again below the journal": (
        (
            f"{TARGET}.send",
            "reply = self._transport.write(call)",
            "reply = self._transport.write(call)\n        if reply.status >= 500: reply = self._transport.write(call)",
        ),
    ),
    "a POST that met a 401 is sent again with a new token": (
        (
            f"{TARGET}.send",
            "self._token.reject(token)",
            (
                "self._token.reject(token); reply = self._transport.write(self._call('POST', '/api/SoftwareLicence', "
                "self._token.bearer().reveal(), body=request.body))"
            ),
        ),
    ),
    "the quantity in the create": (
        (BODY, 'row["count"] = 0', 'row["count"] = 3'),
        (SENT, 'rows[0].get("count") != 0', "False"),
    ),
    "the marker is not sent": ((BODY, "if marker is not MarkerField.NONE:", "if False:"),),
    "the attempt is not recorded": (
        (
            f"{CREATE}._record",
            "self.session.state.record_attempts(list(attempts.values()), replacing=replacing)",
            "frozenset(attempts)",
        ),
    ),
    "the attempt is recorded after the post": (
        (
            f"{CREATE}._create_group",
            "recorded_at, attempts = self._record(group)",
            (
                "recorded_at = self.session.clock.monotonic(); now = self.session.clock.now(); "
                "attempts = {c.key: self._attempt(c, now) for c in group}"
            ),
        ),
        (
            f"{CREATE}._create_group",
            "sent = [c for c in group if c.key in answers]",
            (
                "sent = [c for c in group if c.key in answers]; "
                "self.session.state.record_attempts([attempts[c.key] for c in sent])"
            ),
        ),
    ),
    "the binding is recorded after the count": (
        (
            f"{CREATE}._follow_up",
            "self.session.state.record_bindings([_binding(c, found[c.key], now) for c in bound])",
            "pass",
        ),
    ),
    "an unknown create counts as failed": (
        (f"{CREATE}._follow_up", "isinstance(answer, Refused)", "isinstance(answer, (Refused, Unclear))"),
    ),
    "compare-and-set dropped": (
        (
            "state.document:grant_attempts",
            "if free and key not in granted and key not in document.bindings:",
            "if True:",
        ),
    ),
    "the settle time is ignored": (
        ("planning.identity:_without_subscription", "now - attempt.recorded_at < settle", "False"),
    ),
    "one look instead of two": (
        (f"{CREATE}._look_twice", "if not any(c.settled_attempt for c in changes):", "if True:"),
    ),
    "two looks at once instead of a minute apart": (
        (f"{CREATE}._look_twice", "self.session.clock.sleep(FRESH_SECONDS)", "pass"),
    ),
    "no second look before a create": ((f"{CREATE}.create", ", anew=True", ""),),
    "a duplicate marker is ignored": (
        ("planning.identity:identify", "if len(live_hits) > 1:", "if False:"),
        ("planning.identity:identify", "if len(named | {hit.id for hit in live_hits}) > 1:", "if False:"),
    ),
    "a Subscription is adopted by its name": (
        (
            "planning.identity:_without_subscription",
            "if mapping.retired:",
            (
                "found = namesakes(mapping, candidates(mapping, index, recorded))\n    if found:\n        "
                "return Identity(subscription=found[0], origin=BindingOrigin.MARKER)\n    if mapping.retired:"
            ),
        ),
    ),
    "the same name is no reason to ask": (
        ("planning.twins:twin_doubts", "if same := namesakes(mapping, found):", "if same := ():"),
        ("planning.twins:twin_doubts", "elif found:", "elif False:"),
    ),
    # ---- update ---------------------------------------------------------------------------------------------------
    "the name is sent in an update": (
        (COUNTS, COUNT_ELEMENT, '"count": write.count, "name": "Training"}'),
        (SENT, 'set(row) != {"id", "count"}', "False"),
    ),
    "a price is sent in an update": (
        (COUNTS, COUNT_ELEMENT, '"count": write.count, "price": 0.0}'),
        (SENT, 'set(row) != {"id", "count"}', "False"),
    ),
    "the id 0 is accepted": (
        (COUNTS, '"id": int(write.subscription_id)', '"id": 0'),
        ("providers.halo_writes:_check_known", "if type(subscription_id)", "if False and type(subscription_id)"),
    ),
    "one too many": ((COUNTS, COUNT_ELEMENT, '"count": write.count + 1}'),),
    "a stale row is written": ((f"{UPDATE}_still_as_planned", "if not moved:", "if True:"),),
    "an old listing is good enough": ((f"{WRITES}WriteSession.freshen", "> FRESH_SECONDS", "> 1e9"),),
    "no request waits for its turn": (("http.limiter:RateLimiter._await", "elif wait <= 0:", "else:"),),
    "another partner's clients are billed": (("safety.state:wrong_tenant", "known != tenant", "False"),),
    "a damaged state is read as far as it goes": (
        ("state.document:decode", "if encode(document) == content:", "if True:"),
    ),
    "no listing after an unclear batch": ((f"{UPDATE}_one_by_one", "session.relist()", "pass"),),
    "a saved plan's rows are not held against today's": ((f"{APPLY}_agreed_writes", "if agreed is None:", "if True:"),),
    "zero is not read twice": ((f"{APPLY}_still_zero", "if not falls:", "if True:"),),
    "a deletion where a Subscription was listed": (
        (
            f"{TARGET}.subscriptions",
            "self._remember(found)",
            (
                "self._remember(found); self._transport.write(self._call('DELETE', '/api/SoftwareLicence/9002', "
                "self._token.bearer().reveal()))"
            ),
        ),
        ("http.transport:Transport._request", "if not as_meant or not any(", "if False and not any("),
    ),
    "nothing stops a run whose writes all fail": (
        (
            f"{WRITES}WriteSession._stop_after_too_many",
            "if self.failures_in_a_row >= FAILURES_IN_A_ROW or self.failures >= FAILURES_IN_ALL:",
            "if False:",
        ),
    ),
    # ---- reading --------------------------------------------------------------------------------------------------
    "a list that is too short is taken as it is": (
        (f"{LISTING}._read_once", "if len(rows.seen) != total:", "if False:"),
    ),
    "only the first page is read": (
        (f"{LISTING}._read_once", "if 0 < size < total:", "if False:"),
        (f"{LISTING}._read_once", "if len(rows.seen) != total:", "if False:"),
    ),
    "without a total the first page is all": (
        (f"{LISTING}._until_empty", "start, short, most = size, size == 0, said or 0", "return rows.all()"),
    ),
    "a row that came twice stands in for one that was skipped": (
        ("providers.listing:_Rows.all", "if self.repeated:", "if False:"),
        (f"{LISTING}._read_once", "if len(rows.seen) != total:", "if False:"),
    ),
    "inactive users are billed": (
        ("providers.infima:InfimaSource._count_users", '.strip().lower() == "active"', " is not None"),
    ),
    "missing is zero": (
        ("plan:_total", "if len(known) == len(counts) else None", ""),
        ("planning.doubts:reading_doubts", "if not mapping.counts_users:", "if True:"),
    ),
    "included users are billed": (("planning.quantity:billed", "counted - rule.included", "counted"),),
    "one client that cannot be read stops all others": (
        (
            "providers.infima:InfimaSource._counted",
            "except ApiError as exc:",
            "except ApiError as exc:\n        raise",
        ),
    ),
    "the plan is in the order of the file": (
        ("plan:diff", "sorted(mappings.mappings, key=lambda m: m.key)", "mappings.mappings"),
    ),
    "the plan is in the order of memory": (("plan:diff", "key=lambda m: m.key", "key=lambda m: hash((m.key, id(m)))"),),
    "only the first three mappings are planned": (("plan:diff", "key=lambda m: m.key):", "key=lambda m: m.key)[:3]:"),),
    # ---- guards ---------------------------------------------------------------------------------------------------
    "the zero guard is skipped": (("safety.counts:to_zero", "if not nobody or", "if True or"),),
    "the decrease guard is off by a factor": (
        ("safety.counts:_beyond", "difference > limit.users", "difference > limit.users * 10"),
    ),
    "the outage guard is skipped": (("safety.source:source_dropped", "if fall > TOTAL_DECREASE_USERS", "if False"),),
    "a refused plan is written all the same": (
        ("planning.changes:Plan.writes", "() if self.refused else ", ""),
        (f"{APPLY}apply", "if not plan.refused:", "if True:"),
        (f"{APPLY}apply", "elif plan.refused and change.performs_write:", "elif False:"),
    ),
    "a hold holds nothing": (
        ("planning.changes:Change.performs_write", "self.hold is None and ", ""),
        (f"{APPLY}apply", "if change.hold is not None:", "if False:"),
    ),
    "a Subscription of another customer is written": (
        ("planning.identity:_doubt_about", "found.customer_id != mapping.halo_customer.id", "False"),
        (
            f"{UPDATE}_as_planned",
            "mapping.halo_customer.id",
            "(target.change.before or target.change.after).customer_id",
        ),
    ),
    "a Subscription that is not live is written": (
        ("planning.identity:_over", "if not found.live:", "if False:"),
        (f"{UPDATE}_as_planned", '"active": True', '"active": None'),
        (f"{UPDATE}_as_listed", '"active": live.live', '"active": None'),
    ),
    "a Subscription past its end date is written": (("planning.identity:_over", "found.last_day < today", "False"),),
    "an inactive customer is billed": (
        ("planning.doubts:customer_doubts", "customer is None or customer.inactive", "False"),
    ),
    # ---- verdict --------------------------------------------------------------------------------------------------
    "what was sent counts as done": (
        (f"{UPDATE}_judge", "elif live.count != target.after and target.key in session.unclear:", "elif False:"),
        (f"{UPDATE}_judge", "elif live.count != target.after:", "elif False:"),
    ),
    "exit 0 on a hold": (("writing.verdict:exit_code", "return ExitCode.HELD", "return ExitCode.DONE"),),
    "exit 0 on an unknown outcome": (("writing.verdict:exit_code", "if incomplete:", "if False:"),),
    "an unclear answer is journaled as ok": ((f"{WRITES}_journal_words", "IntentResult.UNKNOWN", "IntentResult.OK"),),
    "what else the write changed is not looked at": (
        (f"{UPDATE}changed_besides_count", "return what_moved", 'return "" and what_moved'),
    ),
    "a row that was seen to move counts as unchanged": (
        (f"{UPDATE}settle_moved", "if moved :=", "if False and (moved :="),
        (f"{UPDATE}settle_moved", "_moved(session, target):", "_moved(session, target)):"),
    ),
    "a converged row is written again": (("plan:_action", "if quantity.result == before.count:", "if False:"),),
    # ---- journal, state, races --------------------------------------------------------------------------------------
    "the journal comes after the request": (
        (f"{WRITES}WriteSession.write", "self.state.intend(", "late = ("),
        (
            f"{WRITES}WriteSession.write",
            "self._count_failure(answer)",
            "self.state.intend(late); self._count_failure(answer)",
        ),
    ),
    "the journal is not fsynced": (("state.files:AppendOnlyFile.append", "os.fsync(self._fd)", "pass"),),
    "state.json is not fsynced before its rename": (("state.files:_write_new_file", "os.fsync(fd)", "pass"),),
    "a rename is not made durable": (("state.files:_fsync_directory", "os.fsync(fd)", "pass"),),
    "a record does not name the one before": (("state.journal:Journal.append", "prev=self._prev", "prev=GENESIS"),),
    "the state can be read by others": (("state.files:_make_private", "0o600", "0o644"),),
    "no lock is taken": (("state.directory:DirectoryState._open_run", "if self._lock_runs else", "if False else"),),
}
