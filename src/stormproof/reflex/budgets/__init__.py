"""How much somebody may spend, in a day and in a month."""
