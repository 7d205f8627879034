"""What the websocket application and its tests share, apart, so that the tests do not load the application."""

SECRET = b"the secret of this test, thirty-two bytes at least"
ISSUER = "https://auth.test"
