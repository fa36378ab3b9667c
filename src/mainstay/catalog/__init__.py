"""What is sold: SKUs, what each system calls them, and what they cost where."""
