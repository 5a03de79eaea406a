"""MQTT: a broker hands on what lots publish. A message is acknowledged (PUBACK) only after our commit.

    broker ──receive maximum──▶ Connection ──a few at once──▶ decoding ──▶ Intake (judge, record, show) ──▶ PUBACK
                                (connecting)                  (decoding)       │ ledger away: nothing is acknowledged;
                                                                               ▼ the broker keeps the rest
feed         how the feeds file describes a broker       listening    one feed: connect, take in, come back
connecting   a connection that acknowledges when told    decoding     a feed's decoder, and what it makes of messages
topics       whose message it is, by its topic           native       Bowei's own messages
measures     metrics                                     assembling   a listener for every feed
"""
