"""What must be heard: announcements, from a desk into the rooms of its audience, and who has acknowledged them.

`message`, `audience`, `tracking`, `marker`, `values` and `rendering` decide (pure). `desk` turns events into rows of
the queue (`outbox_store`), `postman` carries them out; between the two there is only the database, so either may die
at any moment.
"""
