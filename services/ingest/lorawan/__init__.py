"""LoRaWAN: sensors that each watch one space, as network servers hand their uplinks on.

    uplink (JSON) ──read_uplink──▶ Uplink ──its sensor's codec──▶ what the sensor says ──▶ the space, noted
    (uplinks)                              (codecs)                                        (sensing)  │
                                            a lot's free spaces, of those that are known  ◀───────────┘
                                            go through Intake like any count

feed     how the feeds file names sensors and their lots      sensors    finds the group of a sensor
sensing  notes spaces, and counts their lots                  webhooks   who may post uplinks
api      uplinks by webhook

Over MQTT the same uplinks come through `services.ingest.mqtt`.
"""
