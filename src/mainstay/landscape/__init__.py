"""The shop as declared: systems, ownership, channels, policies, flows and the people who answer for them."""
