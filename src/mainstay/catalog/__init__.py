"""What is sold: SKUs, what each system calls them, and what they cost where."""

FACE = ("fold.PARTS", "fold.describe", "fold.name", "fold.names_in", "fold.narrowed", "fold.newer", "view.item", "view.price")
