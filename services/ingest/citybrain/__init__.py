"""The Hangzhou City Brain upload protocol, v1 and v2: bytes in, values out.

    body ──read_form──▶ Envelope ──verify, then open──▶ JSON object ──read_upload──▶ Upload ──check_upload_time──▶
    (envelope)          (envelope)                      (messages, read by fields)            (receiving)

    methods     which path asks for what            keys        whose key verifies, and how each client seals
    problems    every refusal: its code, the number that answers it, its words

    api         its addresses                       uploading   what an upload means here

But for these two nothing here waits, keeps or looks at a clock: they say what time it is, record what was read and send
the answer. `seal` is the client's half, so that simulated lots speak as real ones do.
"""
