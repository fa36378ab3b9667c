"""The vocabulary that every system and room agrees on: money, identity, nouns, events, commands and failures."""
