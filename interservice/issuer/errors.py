"""What an authorization server says when it refuses: the error responses of RFC 6749 section 5.2."""

from __future__ import annotations

from interservice.errors import InterserviceError


class OAuthError(InterserviceError):
    """A refusal as JSON: `error` from the specifications' closed sets, `description` in the characters they allow.

    Args:
        error: The OAuth error code, such as invalid_client.
        description: One sentence without anything the client sent.
        status: The HTTP status.
        challenge: A WWW-Authenticate value, or None.
    """

    code = "oauth"

    def __init__(self, error: str, description: str, *, status: int = 400, challenge: str | None = None) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status
        self.challenge = challenge

    @classmethod
    def invalid_client(cls, description: str = "Client authentication failed") -> OAuthError:
        """401 with the challenge that RFC 6749 section 5.2 asks for; says no more, so that clients cannot be enumerated."""
        return cls("invalid_client", description, status=401, challenge='Basic realm="issuer", charset="UTF-8"')

    @classmethod
    def invalid_request(cls, description: str) -> OAuthError:
        """400: a parameter is missing, repeated or malformed."""
        return cls("invalid_request", description)
