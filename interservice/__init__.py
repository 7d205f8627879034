"""interservice makes an existing Flask, Django or any WSGI/ASGI service a good citizen among services.

In front of the application a gate; behind it a `requests` adapter; between the two one context.
"""
