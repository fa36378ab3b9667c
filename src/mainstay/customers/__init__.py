"""Who buys: which subject stands for a buyer, without a name in anything but the vault."""

FACE = ("decide.subject_of", "words.cleaned", "words.theirs")
