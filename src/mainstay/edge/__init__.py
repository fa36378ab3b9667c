"""The doors: webhooks and the API. Authenticate over the raw bytes, bound, record, answer."""
