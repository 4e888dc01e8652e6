"""From samples to files in the store: encoding, the spool on disk, uploads, and live audio."""
