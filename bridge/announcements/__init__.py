"""What must be heard: announcements, from a desk into the rooms of its audience, and who has acknowledged them.

`message`, `audience`, `tracking` and `rendering` decide (pure). `desk` turns events into rows, `deliver` turns rows
into messages; between the two there is only the database, so either may die at any moment.
"""
