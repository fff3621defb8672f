"""
Runs one target of L{tests.fuzz.targets} under atheris: C{python -m tests.fuzz PARSER SECONDS CORPUS}.

Without arguments it names the parsers.  What it finds is written next to the corpus, and
C{python -m tests.fuzz PARSER FILE} runs that once more; neither needs atheris.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["main"]


def _quoted(octets: bytes) -> str:
    """Octets as a dictionary of libFuzzer's has them."""
    return "".join(f"\\x{octet:02x}" for octet in octets)


def main(arguments: list[str]) -> None:
    """
    @param arguments: as above.
    """
    if len(arguments) < 3:
        from tests.fuzz.targets import TARGETS

        if arguments:
            name, file = arguments
            TARGETS[name].run(Path(file).read_bytes())
        else:
            sys.stdout.write("\n".join([*TARGETS, ""]))
        return
    import atheris

    # What is imported here is what the fuzzer sees the ways through.  Its hook for regular expressions would
    # help, but fails on patterns of octets (3.0).
    with atheris.instrument_imports(include=["connectproxy"]):
        from tests.fuzz.targets import TARGETS
    name, seconds, directory = arguments
    target = TARGETS[name]
    corpus = Path(directory, name)
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = Path(directory, f"{name}.words")
    words.write_text("".join(f'"{_quoted(word)}"\n' for word in target.words))
    options = [f"-max_total_time={seconds}", f"-dict={words}", f"-artifact_prefix={directory}/{name}-"]
    atheris.Setup([sys.argv[0], *options, "-max_len=2048", "-print_final_stats=1", str(corpus)], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
