"""The hands: HTTP, lanes, rate budgets, retries, look-ups, polls and stock levels. Decides nothing about the business."""
