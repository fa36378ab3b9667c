"""What a connector is: conversations, failures, budgets and signatures as plain data, and the suite it must pass."""

FACE = ("address.target", "conformance", "connector", "oauth", "signatures", "talk", "twin", "worded", "worth", "scaffold.scaffold")
