"""What will happen."""
