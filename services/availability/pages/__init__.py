"""Pages for people: the files of `web/`, read once at start and answered from memory.

    files  what is in the folder, its version, what is sent of it    texts  the catalogues, zh-Hans and en
    api    the addresses of pages and of what they load

There is no build step. What a page loads stands below a version made of all its files' content, so it may be kept for
ever; the page itself is asked for again each time. Nothing comes from another host, and nothing is written inline:
the policy that is sent forbids both.
"""
