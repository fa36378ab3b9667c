"""What was paid, refunded, paid out, and whether it adds up."""
