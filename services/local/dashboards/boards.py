"""The dashboards: for those who run the city, for a hospital, and for those who keep the system going."""

from collections.abc import Sequence

from bowei.domain.lots import Name
from services.local.dashboards.panels import Dashboard, Look, Panel, Query, Unit

_PUT = 'route="/v1/diversions/{diversion_id}",method="PUT"'
_HTTP = "http_server_request_duration_seconds"


def _quantile(share: float, metric: str, labels: str = "", by: str = "") -> str:
    groups = f"le,{by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({groups}) (rate({metric}_bucket{{{labels}}}[5m])))"


_ANSWERED = f"sum by (job) (rate({_HTTP}_count[5m]))"
_FAILED = f'sum by (job) (rate({_HTTP}_count{{status=~"5.."}}[5m]))'
_BROKEN = Panel(
    Name("未兑现的承诺", "Broken promises"), [Query("max(bowei_broken_promises)")], look=Look.NUMBER, red_from=1
)

OPERATOR = Dashboard(
    "bowei-operator",
    Name("泊位：城市运营", "Bowei: running the city"),
    [
        _BROKEN,
        Panel(
            Name("可承诺车位", "Spaces that can be promised"),
            [Query('sum(bowei_availability_spaces{of="offered"})')],
            look=Look.NUMBER,
        ),
        Panel(
            Name("保留中的车位", "Spaces held"), [Query('sum(bowei_availability_spaces{of="held"})')], look=Look.NUMBER
        ),
        Panel(
            Name("无数据的停车场", "Lots of which nothing is known"),
            [Query("sum(bowei_availability_lots_unknown)")],
            look=Look.NUMBER,
        ),
        Panel(
            Name("各街区空位", "Free spaces by block"),
            [Query('max by (block) (bowei_availability_spaces{of="free"})', "{{block}}")],
        ),
        Panel(
            Name("分流请求", "Requests for a space, by outcome"),
            [Query("sum by (outcome) (rate(bowei_routing_diversions_total[5m]))", "{{outcome}}")],
            Unit.PER_SECOND,
        ),
        Panel(
            Name("司机的到场、取消与拒绝", "What became of holds"),
            [Query("sum by (step, outcome) (rate(bowei_routing_hold_steps_total[5m]))", "{{step}} {{outcome}}")],
            Unit.PER_SECOND,
        ),
        Panel(
            Name("停车场数据新鲜度", "Lots by how current their counts are"),
            [Query("max by (coverage) (bowei_ingest_lots)", "{{coverage}}")],
        ),
        Panel(
            Name("各数据源静默时长", "For how long each source has been silent"),
            [
                Query(
                    "scalar(max(bowei_ingest_source_last_heard_timestamp_seconds)) - "
                    "max by (source) (bowei_ingest_source_last_heard_timestamp_seconds)",
                    "{{source}}",
                )
            ],
            Unit.SECONDS,
        ),
        Panel(
            Name("发现的数据问题", "Lots with something wrong, by what"),
            [Query("sum(bowei_ingest_lots_doubted) or vector(0)"), Query("max(bowei_ingest_links_lost)", "links lost")],
        ),
    ],
)

HOSPITAL = Dashboard(
    "bowei-hospital",
    Name("泊位：医院", "Bowei: hospitals"),
    [
        Panel(
            Name("本院空位", "Free at the hospital"),
            [Query("max by (hospital) (bowei_availability_gate_free_spaces)", "{{hospital}}")],
        ),
        Panel(
            Name("排队车辆", "Cars waiting at the gate"),
            [Query("max by (hospital) (bowei_availability_gate_queue_vehicles)", "{{hospital}}")],
            red_from=30,
        ),
        Panel(
            Name("院门状态", "The gate's state"),
            [Query("max by (hospital, state) (bowei_availability_gate_state) == 1", "{{hospital}} {{state}}")],
        ),
        Panel(
            Name("一小时内分流", "Sent to other lots within an hour"),
            [Query('sum(increase(bowei_routing_diversions_total{outcome="granted"}[1h]))')],
            look=Look.NUMBER,
        ),
        Panel(
            Name("途中改换", "Moved on the way, by why"),
            [Query("sum by (danger) (increase(bowei_routing_moves_total[1h])) or vector(0)", "{{danger}}")],
        ),
    ],
)

ENGINEERING = Dashboard(
    "bowei-engineering",
    Name("泊位：工程", "Bowei: engineering"),
    [
        _BROKEN,
        Panel(
            Name("依赖", "Stores that answer"),
            [Query("min by (job, dependency) (bowei_dependency_up)", "{{job}} {{dependency}}")],
        ),
        Panel(
            Name("请求数", "Requests"),
            [Query(_ANSWERED, "{{job}}")],
            Unit.PER_SECOND,
        ),
        Panel(
            Name("失败率", "Share of answers that are failures of ours"),
            [
                Query(f"({_FAILED} or 0 * {_ANSWERED}) / {_ANSWERED}", "{{job}}"),
            ],
            Unit.SHARE,
            red_from=0.001,
        ),
        Panel(
            Name("保留车位用时", "How long a space takes"),
            [
                Query(_quantile(0.5, _HTTP, _PUT), "p50"),
                Query(_quantile(0.99, _HTTP, _PUT), "p99"),
            ],
            Unit.SECONDS,
            red_from=1,
        ),
        Panel(
            Name("排序用时", "How long ranking takes"),
            [Query(_quantile(0.99, "bowei_routing_ranking_duration_seconds"), "p99")],
            Unit.SECONDS,
        ),
        Panel(
            Name("上报", "Reports, by result"),
            [Query("sum by (result) (rate(bowei_ingest_observations_total[5m]))", "{{result}}")],
            Unit.PER_SECOND,
        ),
        Panel(
            Name("上报延迟", "How old a report is when it comes"),
            [Query(_quantile(0.99, "bowei_ingest_lag_seconds"), "p99")],
            Unit.SECONDS,
        ),
        Panel(
            Name("显示副本的年龄", "How old what is shown is"),
            [Query("max by (instance) (bowei_availability_mirror_age_seconds)", "{{instance}}")],
            Unit.SECONDS,
            red_from=10,
        ),
        Panel(
            Name("打开的流", "Open streams"),
            [
                Query("sum(bowei_availability_streams)", "availability"),
                Query("sum(bowei_routing_streams)", "routing"),
            ],
        ),
        Panel(
            Name("单进程工作", "Works of one process: each must be 1"),
            [
                Query("sum(bowei_routing_following)", "following"),
                Query("sum(bowei_ingest_assessing)", "assessing"),
                Query("sum(bowei_ingest_foreseeing)", "foreseeing"),
                Query("sum(bowei_ingest_keeping)", "keeping"),
            ],
        ),
        Panel(
            Name("道闸指令", "Commands to barriers, and their answers"),
            [
                Query("sum by (kind) (rate(bowei_routing_barrier_commands_total[5m]))", "{{kind}}"),
                Query("sum by (answer) (rate(bowei_routing_barrier_answers_total[5m]))", "{{answer}}"),
            ],
            Unit.PER_SECOND,
        ),
        Panel(
            Name("处理器", "Processor, cores"),
            [Query("sum by (job) (rate(process_cpu_seconds_total[5m]))", "{{job}}")],
        ),
        Panel(Name("内存", "Memory"), [Query("max by (job) (process_resident_memory_bytes)", "{{job}}")], Unit.BYTES),
    ],
)

DASHBOARDS: Sequence[Dashboard] = (OPERATOR, HOSPITAL, ENGINEERING)
