"""What we have, what is spoken for, and what may still be sold."""
