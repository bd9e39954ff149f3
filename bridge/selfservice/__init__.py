"""WHO ASKS: employees help themselves by talking to the bot in a direct room.

What is said comes by the event feed to `conversation`, which decides and writes down what the bot is to do; `speaker`
does it. `command`, `known_rooms`, `phone_book` and `replies` are pure.
"""
