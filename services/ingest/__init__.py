"""Lots report: observations and passages, from every kind of feed.

Answers   POST /v1/observations, /v1/passages, /v1/heartbeats; what ParkAPI's tools push; feeds in shapes of their own,
          and the Hangzhou City Brain upload protocol, where they are turned on
Takes     messages of the brokers that the feeds file names, and uplinks of sensors
Reads     the register: who may report, for which lots
Writes    reports and passages, in the journal; then what is seen of each lot, in the live state (its only writer);
          forecasts, in both
Promise   what was acknowledged was committed to the journal first; a bad item never stops the others; with the live
          state away reports are recorded all the same and copied later; with the journal away they are shown, and the
          sender is told to repeat (503), so that nothing is lost

    ways in, each a folder: bytes in, values out, and the addresses where there are some
    native         /v1, Bowei's own words          citybrain   the Hangzhou City Brain upload protocol
    fieldmaps      the sender's own shape, by a map   parkapi     what ParkAPI's tools push
    datex2         DATEX II v2 and v3, sent to us or fetched
    pulling        what others publish, fetched by one process of all
    mqtt           what a broker hands on            lorawan     sensors that each watch one space

    what all of them share
    readings       what an item says, in our words  intake      finds the lots of readings, and takes them in
    receiving      judge, record, show              copying     shows all of the record again when the copy was lost
    feeds_file     sources that have no key of ours    feed_fields … what each says of itself
    admitting      how much at once, and how much of it of one source
    showing        … together with others who wait
    sources        who may report for which lot     letters     what is about lots that nobody registered yet
    history_files  days that are over, as files for availability to give out
    keeping        the keeper of history            redelivering   letters, once they can be meant
    letter_readers how each way reads its own
    measures       this service's metrics           history_measures   those of history and letters
    lags           a histogram of many values at once
    leading        a work that one process of all does
    noting         signs of life, and lots that nobody registered
    foreseeing     learns from every lot's counts, and shows what it foresees   forecast_measures  its metrics
    assessing      looks at what lots said for weeks, and judges who may be believed
    doubting       what follows reaches judging and readers   quality_measures  its metrics
    app            assembles; wiring, settings
"""
