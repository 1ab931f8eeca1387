"""Where `frostline` and `python -m frostline` begin."""

import sys

__all__ = ["main"]

_WINDOWS = """\
Error: frostline does not run on Windows itself, which lacks system calls that it reads cached activations with.
Expected Linux or macOS. Install the Windows Subsystem for Linux (`wsl --install` in PowerShell, then restart), and
install frostline there, in the Ubuntu terminal. Your files are below /mnt/c.
"""


def main() -> None:
    """Run the command line, which is imported only where it can run."""
    if sys.platform == "win32":
        sys.stderr.write(_WINDOWS)
        sys.exit(1)
    from frostline.cli import main as run

    run()


if __name__ == "__main__":
    main()
