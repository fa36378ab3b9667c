"""What has been promised to a buyer, and what remains to be done."""
