"""What a person sees: the pages in a real browser, against the real service.

They run Debian's Chromium (`apt install chromium fonts-wqy-zenhei`), and are skipped where there is none.
"""
