"""A pytest plugin for the tests of `requests` itself: its sessions get a `ServiceAdapter()` and not an `HTTPAdapter()`."""

import requests.sessions

from interservice.outbound import ServiceAdapter

vars(requests.sessions)["HTTPAdapter"] = ServiceAdapter
