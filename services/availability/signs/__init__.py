"""Outdoor signs: each shows one lot, as boards show it, in its maker's own bytes.

A signs file says which sign shows which lot and how it is reached. Each sign has a task: it sends what changed, repeats
it now and then (signs lose their power), and tries again where the sign is away, with longer and longer pauses. It
keeps no queue, because only the newest matters. A minute after contact with the live state was lost a sign shows no
number.

    signs_file  what the operator wrote        showing   one sign's task
    faces       what a sign is told            driving   the port, and the driver of each kind
    rs485       count signs on a serial line   frames    … their bytes
    udp         JSON by UDP                    mqtt      JSON by a broker
    measures    what is measured of each sign
"""
