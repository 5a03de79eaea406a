"""RULES: the values and pure functions of shared parking.

What belongs here: anything that is true of parking whatever the database, the framework or the hour. No I/O, no clock
of its own (the caller says what time it is), no framework.

    places        points and their datum            lots          lots, entrances, hospitals
    agreements    who lends what to whom, when      agreement_versions … proposed, accepted, in force from
    calendars     holidays, and days made up for    directory     all of these together, as one value
    observations  what a lot says                   believing     what we take it for, rule by rule
    dirt          what feeds get wrong, by name     freshness     how old is too old
    heartbeats    signs of life that say nothing of spaces
    trust         earned, lost, earned again        assessing     what only a series of reports shows: its rules
    stillness     stuck, or only night              drifting      a counter that loses cars
    findings      every such rule, in one place     strangers     lots that nobody registered
    plausible_places  what can't be right about a place
    offering      what may be promised now          holds         the life of a promise
    forecasting   a free space at the time of arrival: what a request asks
    foreseeing    … and what is learned for it, for all lots at once, from
    usual_weeks   what is free in a usual week      calibrating   what came of chances
    forecast_scores  what forecasts were worth
    pricing       what a space is worth to those who come later
    announcing    whether the hospital has room for who is on the way
    dangers       why a promised space can hardly be kept
    choosing      the right lot, and why not others comparing     the same for a whole hospital, in order
    prospects     one lot of these, as it stands
    choice_rules  what the choice is weighed with   costs         what a lot costs a driver, part by part
    margins       how many spaces are kept back     tariffs       what a stay costs in money
    gate          what the hospital's gate shows
    road_conditions  speeds and closures, as the city says them
    navigation    links that open a map app         plates        kept only as keyed hashes
    problems      every way a request is refused    field_kinds   every way a field of it is wrong
    history_days  days of history, as they are given out as files
    clock         the port that tells the time      parties       who each is, and what of the city they see
    sharing_reports  what a month of sharing brought
    acts          who did what, chained so that tampering shows
    made_often    for values of which tens of thousands are made in a second
"""
