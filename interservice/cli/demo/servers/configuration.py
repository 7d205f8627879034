"""The configuration files of the servers that interservice renders nothing for: load balancer, metrics, monitoring.

All listen on 127.0.0.1, on ports that are handed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: What HAProxy answers by itself, while it runs.
HAPROXY_READY = "/_haproxy_ready"
_NOBODY = '{"type":"about:blank","title":"Service Unavailable","status":503,"code":"no_endpoint"}'


def haproxy(*, port: int, status: int, metrics: int, orders: Iterable[tuple[str, int]]) -> str:
    """A load balancer for orders: instances get requests while /readyz is 200; what may be repeated is, on another instance.

    Args:
        port: For requests.
        status: For questions about the state ("show stat").
        metrics: For Prometheus.
        orders: Name and port of each instance.
    """
    servers = "\n".join(f"    server {name} 127.0.0.1:{where} check" for name, where in orders)
    return f"""\
global
    log stdout format raw local0 notice
    stats socket ipv4@127.0.0.1:{status} level user
    hard-stop-after 2s
    nbthread 1
    maxconn 2000
defaults
    mode http
    log global
    timeout connect 500ms
    timeout client 30s
    timeout queue 1s
    timeout server 3s
    timeout check 600ms
    timeout http-keep-alive 60s
    # POST is repeated only where no connection stood: nothing was sent then.
    retries 2
    option redispatch 1
    retry-on conn-failure empty-response response-timeout
    # A tenth of a second of doubt, and an instance is asked twice as often; two bad answers take it out, two good ones let it in.
    default-server inter 500ms fastinter 200ms fall 2 rise 2
    http-error status 503 content-type application/problem+json hdr Retry-After 1 string '{_NOBODY}'
frontend balancer
    bind 127.0.0.1:{port}
    monitor-uri {HAPROXY_READY}
    http-request disable-l7-retry if !METH_GET !METH_HEAD
    default_backend orders
backend orders
    balance roundrobin
    # What may be asked again need not be waited for as long as what may not.
    http-request set-timeout server 1s if METH_GET
    option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host orders
    http-check expect status 200
{servers}
frontend metrics
    bind 127.0.0.1:{metrics}
    no log
    http-request use-service prometheus-exporter
"""


def collectd(*, folder: Path, plugins: Path, types: Path, port: int, metrics: int) -> str:
    """StatsD in on a UDP port, Prometheus' text format out on an HTTP port."""
    return f"""\
Hostname "localhost"
FQDNLookup false
BaseDir "{folder}"
PIDFile "{folder}/collectd.pid"
PluginDir "{plugins}"
TypesDB "{types}"
Interval 1
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File stdout
</Plugin>
LoadPlugin statsd
<Plugin statsd>
  Host "127.0.0.1"
  Port "{port}"
  CounterSum true
  TimerPercentile 50.0
  TimerPercentile 99.0
  TimerCount true
</Plugin>
LoadPlugin write_prometheus
<Plugin write_prometheus>
  Host "127.0.0.1"
  Port "{metrics}"
</Plugin>
"""


def prometheus(*, statsd: int, haproxy: int) -> str:
    """Scrapes collectd and HAProxy once a second."""
    return f"""\
global: {{ scrape_interval: 1s, scrape_timeout: 900ms }}
scrape_configs:
  - job_name: statsd
    static_configs: [ {{ targets: ["127.0.0.1:{statsd}"] }} ]
  - job_name: haproxy
    static_configs: [ {{ targets: ["127.0.0.1:{haproxy}"] }} ]
"""
