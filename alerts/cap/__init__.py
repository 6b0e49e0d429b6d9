"""Common Alerting Protocol 1.2: what is told, as an alerting authority signs it.

`message` makes a message of an event and of what is still in force of its alert, `document` writes it as XML,
`signature` signs and verifies, `schema` and `lint` judge any message, ours before it is stored. `store` keeps
messages for ever; `feed` shows them. Called by the receiver of kind `cap` and by the HTTP feed.
"""
