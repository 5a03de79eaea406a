"""What forecasts are worth over recordings, by the code that forecasts online, forward in time.

command     `bowei evaluate forecasts`: recordings in, tables and lines of JSON out
listening   what a recording's lots said, judged as ingest judges it, step by step
measuring   forecasts at each step, and what each method said of each case that came true
comparing   scores, with intervals by resampling days
reporting   the tables, the lines
plotting    how often a space was there, by the chance that was told (needs the extra `evaluate`)
"""
