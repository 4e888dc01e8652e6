"""Decodes many files, each in a forked process with the limits of an upload: a line "FORMAT PATH" each, a verdict each.

"FORMAT:START:END PATH" cuts an excerpt. The answer is the number of its bytes on a line, and the bytes.

Forking after the imports takes milliseconds where a new interpreter takes half a second.
"""

import os
import sys

from gateway.uploads import decoder, excerpt_decoder


def decode(name: str, path: str) -> bytes:
    """The verdict; `signal N` or `exit N` if there is none."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(path, os.O_RDONLY), 0)
        os.dup2(writing, 1)
        main_of = excerpt_decoder.main if ":" in name else decoder.main
        main_of(*name.split(":"))
        sys.stdout.flush()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as output:
        verdict = output.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        return b"signal %d" % -code if code < 0 else b"exit %d" % code
    return verdict


def main() -> None:
    """Answer line by line until standard input ends."""
    decoder.audio_decoder("wav")
    decoder.score_decoder()
    excerpt_decoder.excerpt_reader("wav", 0, 1)
    for line in sys.stdin:
        name, path = line.split()
        answer = decode(name, path)
        sys.stdout.buffer.write(b"%d\n%b" % (len(answer), answer))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
