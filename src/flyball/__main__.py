"""`python -m flyball` is the `flyball` command."""

from flyball.cli import main

if __name__ == "__main__":
    main()
