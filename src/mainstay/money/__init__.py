"""What was paid, refunded, paid out, and whether it adds up."""

FACE = ("post.POSTINGS", "post.post")
