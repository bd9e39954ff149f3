"""Where announcements go besides Matrix: signed webhooks, e-mail for people without an account, public feeds.

`said` is what an announcement says as they read it, `rss`, `call` and `letters` make of it what goes out (pure);
`calls`, `digest` and `feeds` send and serve it. All of them read tables, so nothing is lost or sent twice by a crash
but what the other side can tell by its id.
"""
