"""One way out: permitted routes, deadlines, retries of reads, the request budget, redaction."""
