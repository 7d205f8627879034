"""The tables, one subject to a module. Each module has `tables(stack)`, which sets up what its sides need and gives them."""
