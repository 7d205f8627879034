"""An embedded OAuth2 authorization server for development, demonstrations and tests. Not for production."""

from .clients import Client
from .keys import KeyRing, SigningKey
from .run import serve
from .server import AuthorizationServer
from .serving import Server

__all__ = ["AuthorizationServer", "Client", "KeyRing", "Server", "SigningKey", "serve"]
