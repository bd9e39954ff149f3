"""WHO NEEDS HELP: what an employee reports in confidence, and the room in which those on call take care of it.

`wish`, `line`, `course` and `wording` are pure. `intake` takes what is written to the bot in a direct room, `hearing`
what is said in the rooms of reports; both only write to the database. `reports` makes the rooms and brings people in.
"""
