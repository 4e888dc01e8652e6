"""`musicgen up`: the whole system as child processes of one supervisor on this machine."""
