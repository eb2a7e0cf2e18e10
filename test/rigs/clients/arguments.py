"""The command line that all client programs of the matrix take; see client.ts."""
import argparse, os

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--user", required=True)
parser.add_argument("--password")
parser.add_argument("--key")
parser.add_argument("--terminal", action="store_true")
parser.add_argument("--rekey", type=int)
parser.add_argument("--channels", type=int)
parser.add_argument("--put")
parser.add_argument("--get")
parser.add_argument("--debug", action="store_true", help="write what the library has to say to standard error")
parser.add_argument("command", help="or the remote path of a copy")


def terminal_size():
    size = os.get_terminal_size(0)
    return size.columns, size.lines
