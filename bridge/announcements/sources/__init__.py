"""Where announcements come from besides a desk and the command line: webhooks, feeds, and letters in a maildir.

`passage`, `hook_body`, `slack`, `feed` and `letter` read what comes (pure); `hooks`, `feed_reader` and `mailbox` fetch
and remember it; `intake` hands it over to be announced, and is all of this folder that knows how that is done.
"""
