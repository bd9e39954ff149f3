"""Second channels: short messages and e-mail for people who must be reached although their chat is silent.

`message` says what a channel is; `sms` and `mail` are the two there are; `store` keeps what is to be sent, and
`courier` sends it. Who is told what, and when, is for others to decide: they only `store.put`.
"""
