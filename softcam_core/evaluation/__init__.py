"""How good is an explanation: figures against annotations."""
