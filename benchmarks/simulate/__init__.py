"""The real flow of outbound calls on a simulated clock: thousands of clients and hundreds of instances in one process."""
