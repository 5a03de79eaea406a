"""What a person reads in the recorded answers of six cities; see test_recorded_payloads for how a line is written."""

FIXTURES = "payloads-parkapi-v1/fixtures"

CITIES = {
    (f"{FIXTURES}/aarhus.json", "aarhus"): """
        NORREPORT 9 65 open 2016-10-29T15:30:04Z naive_time
        SKOLEBAKKEN 0 512 open 2016-10-29T15:30:04Z naive_time
        SCANDCENTER 355 1240 open 2016-10-29T15:30:04Z naive_time
        BRUUNS 615 967 open 2016-10-29T15:30:04Z naive_time
        BUSGADEHUSET - 142 open 2016-10-29T15:30:04Z naive_time,negative_count
        MAGASIN 208 383 open 2016-10-29T15:30:04Z naive_time
        KALKVAERKSVEJ 181 210 open 2016-10-29T15:30:04Z naive_time
        SALLING 422 700 open 2016-10-29T15:30:04Z naive_time
        DOKK1 0 0 open 2016-10-29T15:30:04Z capacity_zero,naive_time
        Navitas 376 449 open 2016-10-29T15:30:04Z naive_time
        NewBusgadehuset 3 105 open 2016-10-29T15:30:04Z naive_time
        Urban Level 1 284 319 open 2016-10-29T15:30:04Z naive_time
        Urban Level 2+3 588 654 open 2016-10-29T15:30:04Z naive_time
        """,
    (f"{FIXTURES}/basel.json", "basel"): """
        baselparkhauselisabethen 354 840 open 2025-02-01T10:58:00Z -
        baselparkhaussteinen 203 526 open 2025-02-01T10:58:00Z -
        baselparkhausstorchen 1 142 open 2025-02-01T10:58:00Z -
        baselparkhausbadbahnhof 254 750 open 2025-02-01T10:58:00Z -
        baselparkhausrebgasse 0 250 open 2025-02-01T10:58:00Z -
        baselparkhauspostbasel 47 - open 2025-02-01T10:58:00Z -
        baselparkhauscentralbahn 168 287 open 2025-02-01T10:58:00Z -
        baselparkhausbahnhofsued 49 100 open 2025-02-01T10:58:00Z -
        baselparkhausanfos 89 165 open 2025-02-01T10:58:00Z -
        baselparkhausmesse 468 727 open 2025-02-01T10:58:00Z -
        baselparkhauseurope 66 120 open 2025-02-01T10:58:00Z -
        baselparkhausclaramatte 53 120 open 2025-02-01T10:58:00Z -
        baselparkhauscity 704 1114 open 2025-02-01T10:58:00Z -
        baselparkhausclarahuus 0 52 open 2025-02-01T10:58:00Z -
        baselparkhausaeschen 59 95 open 2025-02-01T10:58:00Z -
        baselparkhauskunstmuseum 89 350 open 2025-02-01T10:58:00Z -
        """,
    (f"{FIXTURES}/freiburg.json", "freiburg"): """
        P19 7 312 open 2016-06-18T12:45:00Z naive_time
        P12 9 90 open 2016-06-18T12:45:00Z naive_time
        P14 56 220 open 2016-06-18T12:45:00Z naive_time
        P15 14 435 open 2016-06-18T12:45:00Z naive_time
        P16 16 200 open 2016-06-18T12:45:00Z naive_time
        P18 8 138 open 2016-06-18T12:45:00Z naive_time
        P10 4 313 open 2016-06-18T12:45:00Z naive_time
        P1 4 209 open 2016-06-18T12:45:00Z naive_time
        P2 6 396 open 2016-06-18T12:45:00Z naive_time
        P3 10 101 open 2016-06-18T12:45:00Z naive_time
        P4 44 218 open 2016-06-18T12:45:00Z naive_time
        P5 0 0 open 2016-06-18T12:45:00Z capacity_zero,naive_time
        P8 20 213 open 2016-06-18T12:45:00Z naive_time
        P9 11 426 open 2016-06-18T12:45:00Z naive_time
        P13 1 656 open 2016-06-18T12:45:00Z naive_time
        """,
    (f"{FIXTURES}/heidelberg.json", "heidelberg"): """
        0 16 18 closed 2019-07-15T19:12:00Z -
        1 431 528 open 2019-07-15T19:12:00Z -
        2 200 200 closed 2019-07-15T19:12:00Z -
        3 23 140 open 2019-07-15T19:12:00Z -
        4 415 480 open 2019-07-15T19:12:00Z -
        5 63 150 open 2019-07-15T19:12:00Z -
        6 126 185 open 2019-07-15T19:12:00Z -
        7 290 358 open 2019-07-15T19:12:00Z -
        8 235 315 open 2019-07-15T19:12:00Z -
        9 81 280 open 2019-07-15T19:12:00Z -
        10 105 161 open 2019-07-15T19:12:00Z -
        11 42 125 open 2019-07-15T19:12:00Z -
        12 18 178 open 2019-07-15T19:12:00Z -
        13 121 279 open 2019-07-15T19:12:00Z -
        14 162 190 open 2019-07-15T19:12:00Z -
        15 253 277 open 2019-07-15T19:12:00Z -
        16 7 108 open 2019-07-15T19:12:00Z -
        17 28 34 open 2019-07-15T19:12:00Z -
        18 35 80 open 2019-07-15T19:12:00Z -
        25 131 167 open 2019-07-15T19:12:00Z -
        """,
    (f"{FIXTURES}/koeln.json", "koeln"): """
        D_P003 611 - open 2019-06-04T22:02:17Z naive_time
        PH08 - - open 2019-02-19T11:23:23Z naive_time,sentinel
        PH07 190 - open 2019-06-04T05:15:03Z naive_time
        PH09 32 - open 2019-05-21T13:03:09Z naive_time
        PH10 0 - open 2019-06-04T19:04:15Z naive_time
        PH11 0 - open 2019-06-04T22:00:17Z naive_time
        PH12 185 - open 2019-06-05T03:22:22Z naive_time
        PH14 0 - open 2019-06-04T21:30:17Z naive_time
        PH15 445 - open 2019-06-05T03:28:23Z naive_time
        PH16 142 - open 2019-06-05T03:22:22Z naive_time
        PH17 300 - open 2019-06-04T21:57:17Z naive_time
        PH18 135 - open 2019-06-05T03:27:23Z naive_time
        PH19 0 - open 2019-06-04T22:01:17Z naive_time
        PH20 336 - open 2019-06-04T19:31:16Z naive_time
        PH21 0 - open 2019-06-04T18:32:15Z naive_time
        PH22 259 - open 2019-06-05T03:24:22Z naive_time
        PH23 142 - open 2019-06-04T22:01:17Z naive_time
        PH24 327 - open 2019-06-04T22:34:18Z naive_time
        PH25 0 - open 2019-06-05T00:09:19Z naive_time
        PH26 0 - open 2019-06-04T20:01:16Z naive_time
        PH27 0 - open 2019-06-04T22:01:17Z naive_time
        PH28 571 - open 2019-06-05T03:08:22Z naive_time
        PH34 71 - open 2019-04-30T09:36:56Z naive_time
        D_P001 1635 - open 2019-06-05T03:17:22Z naive_time
        PH29 352 - open 2019-05-21T13:03:09Z naive_time
        PH30 227 - open 2019-06-05T00:02:19Z naive_time
        PH31 169 - open 2019-06-05T03:15:23Z naive_time
        PH32 201 - open 2019-04-29T11:53:22Z naive_time
        PH33 295 - open 2019-06-05T00:36:19Z naive_time
        PH35 247 - open 2019-06-05T03:19:22Z naive_time
        PH36 574 - open 2019-06-04T21:45:17Z naive_time
        PH37-1 20 - open 2019-05-21T13:03:09Z naive_time
        PH37-2 60 - open 2019-05-21T13:03:09Z naive_time
        PH37-3 60 - open 2019-05-21T13:03:09Z naive_time
        W_P001 0 - open 2019-06-04T12:12:09Z naive_time
        W_P003 0 - open 2019-06-04T12:12:09Z naive_time
        W_P004 0 - open 2019-06-04T12:12:09Z naive_time
        W_P006 0 - open 2019-06-04T12:12:09Z naive_time
        W_P007 0 - open 2019-06-04T12:12:09Z naive_time
        W_P08W - - open 2019-06-04T12:12:09Z naive_time,sentinel
        W_P08o 0 - open 2019-06-04T12:12:09Z naive_time
        PH13 243 - open 2019-06-05T03:21:23Z naive_time
        D_P002 138 - open 2019-06-05T03:14:22Z naive_time
        D_P004 288 - open 2019-06-05T00:17:19Z naive_time
        D_P006 965 - open 2019-06-05T03:20:22Z naive_time
        PH01 239 - open 2019-06-05T03:25:22Z naive_time
        PH02 380 - open 2019-06-05T03:03:22Z naive_time
        PH03 97 - open 2019-06-05T03:20:22Z naive_time
        PH04 474 - open 2019-06-05T03:14:22Z naive_time
        PH05 204 - open 2019-06-04T23:10:18Z naive_time
        PH06 268 - open 2019-05-29T08:01:12Z naive_time
        PH38 262 - open 2019-06-05T03:21:23Z naive_time
        """,
    (f"{FIXTURES}/rosenheim.json", "rosenheim"): """
        4 - 0 closed - capacity_zero,no_time,sentinel
        7 - 0 closed - capacity_zero,no_time,sentinel
        13 - 0 closed - capacity_zero,no_time,sentinel
        14 - 0 closed - capacity_zero,no_time,sentinel
        0 256 342 open - no_time
        1 78 138 open - no_time
        2 30 31 open - no_time
        3 228 285 open - no_time
        5 172 232 open - no_time
        6 82 97 open - no_time
        10 117 155 open - no_time
        8 58 421 open - no_time
        9 22 56 open - no_time
        11 - 155 closed - no_time,sentinel
        12 365 398 open - no_time
        """,
}
