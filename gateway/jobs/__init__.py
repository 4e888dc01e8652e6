"""Jobs on the gateway's side: accept, answer from stored audio, queue, cancel, repair."""
