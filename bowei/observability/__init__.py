"""SEEN: how a process is seen from outside: its logs, its metrics, its health, and how a refusal is shown.

What belongs here: everything that each HTTP process does alike at its border and around it, whatever it is about.
What doesn't: rules (`bowei.domain`), stores (`bowei.records`, `bowei.livestate`), endpoints (`services`).

    installing    install_http: one call gives an app all of the border below
    problems      refusals as application/problem+json, in zh and en         validation   pydantic's errors as ours
    asgi          request id, time limit, security headers, metrics          bodies       what a body may be
    health        /livez, /readyz, /metrics                                  metrics      one registry per process
    logs          JSON lines with constant event names                       serving      uvicorn with its limits
    environment   typed settings from the environment, secrets from files    heads        limits on requests' heads
    background    work beside the answers, kept running                      instants     … as they leave a process
    yaml_text     YAML as scene, feeds and signs files use it                rate_limits  how often one caller may ask
    tls           … and with a certificate of its own
    bearer        the key in a header             directly      answers in front of FastAPI
    collecting    the garbage collector, kept from a city
    operator_files  … read strictly: every fault with its place and its fix, secrets from elsewhere

Nothing that a caller sent is ever repeated: not in a problem, not in a log line, not in a label.
"""
