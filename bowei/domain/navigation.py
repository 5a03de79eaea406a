"""Links that open a navigation app at a lot's entrance, in each app's own order of axes and datum.

Chinese apps want GCJ-02, and disagree on whether latitude or longitude comes first; a client that guesses sends the
driver half a kilometre away. So every link is made here, once, from WGS-84.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote

from bowei.domain.places import Point, to_gcj02

_APP = "bowei"
_MOST_KEPT = 4_096


@lru_cache(maxsize=_MOST_KEPT)
def navigation_links(entrance: Point, name: str) -> Mapping[str, str]:
    """Give a link per app to `entrance`; `name` is what the app shows."""
    gcj_lat, gcj_lon = to_gcj02(entrance)
    lat_lon_gcj, lon_lat_gcj = f"{gcj_lat:.6f},{gcj_lon:.6f}", f"{gcj_lon:.6f},{gcj_lat:.6f}"
    lat_lon = f"{entrance.lat:.6f},{entrance.lon:.6f}"
    shown = quote(name, safe="")
    links = {
        "amap": f"https://uri.amap.com/navigation?to={lon_lat_gcj},{shown}&mode=car&policy=1&src={_APP}"
        "&coordinate=gaode&callnative=1",
        "baidu": f"baidumap://map/direction?destination=name:{shown}%7Clatlng:{lat_lon_gcj}"
        f"&coord_type=gcj02&mode=driving&src=webapp.{_APP}.{_APP}",
        "tencent": f"https://apis.map.qq.com/uri/v1/routeplan?type=drive&to={shown}&tocoord={lat_lon_gcj}"
        f"&coord_type=2&policy=0&referer={_APP}",
        "apple": f"https://maps.apple.com/?daddr={lat_lon}&dirflg=d",
        "google": f"https://www.google.com/maps/dir/?api=1&destination={lat_lon}&travelmode=driving",
        "geo": f"geo:{lat_lon}?q={lat_lon}({shown})",
    }
    return MappingProxyType(links)
