"""Real processes that are really killed, frozen, cut off and starved, and a history that is checked afterwards."""
