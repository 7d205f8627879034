"""What users need to test services that use interservice: clock, listener, issuer and failing server, all real and none slow."""

from interservice.faultserver import FaultServer, Reply

from .clock import FakeClock
from .faults import Fault
from .issuer import Issuer
from .recorder import Recorder

__all__ = ["FakeClock", "Fault", "FaultServer", "Issuer", "Recorder", "Reply"]
