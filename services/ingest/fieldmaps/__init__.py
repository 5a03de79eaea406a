"""Feeds in the sender's own shape, read by a field map: a YAML file, and no code per vendor (docs/feeds/field-maps.md).

Bytes in, readings out; whatever way the bytes came: a push, MQTT, a page that is fetched.

    field_map   a map, ready to read with              messages   what a map says
    documents   bytes to a document                    decoding   an item to readings
    paths       where a value stands                   fields     … and what it is as text
    counting    numbers, sentinels, caps and floors    timing     instants and zones
    placing     what is wrong with a position          maps/      those that ship, one YAML file each
    signing     whose a push is                        replays    … and whether it came before
    pushing     a push, from bytes to what became of it    api    HTTP in, HTTP out
    replying    what a sender wants to hear            feed       a push, as the feeds file describes it
"""
