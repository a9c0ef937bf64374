"""Where tasks run; knows nothing of physics."""
