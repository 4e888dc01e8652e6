"""Files that clients upload: received, checked in a sandboxed process, and stored."""
