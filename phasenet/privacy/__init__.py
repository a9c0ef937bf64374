"""What a published network gives away, and trains of it that hide its parameters."""
