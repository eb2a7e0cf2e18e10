"""A command line above Paramiko; see client.ts."""
import logging, signal, sys, threading
import paramiko
from arguments import parser, terminal_size


def upload(client, channel, rekey):
    """Sends standard input, and begins a key exchange each time that so many bytes have been sent."""
    since = 0
    while chunk := sys.stdin.buffer.read1(65536):
        channel.sendall(chunk)
        since += len(chunk)
        if rekey and since >= rekey:
            since = 0
            client.get_transport().renegotiate_keys()
    channel.shutdown_write()


def download(receive, file):
    while chunk := receive(65536):
        file.write(chunk)
        file.flush()


def run(client, options):
    channel = client.get_transport().open_session()
    if options.terminal:
        columns, lines = terminal_size()
        channel.get_pty("xterm", columns, lines)
    channel.exec_command(options.command)
    if options.terminal:
        # Not from the handler itself, which may interrupt Paramiko while it holds its lock.
        resize = lambda *_: threading.Thread(target=lambda: channel.resize_pty(*terminal_size())).start()
        signal.signal(signal.SIGWINCH, resize)
    threading.Thread(target=upload, args=(client, channel, options.rekey), daemon=True).start()
    errors = threading.Thread(target=download, args=(channel.recv_stderr, sys.stderr.buffer))
    errors.start()
    download(channel.recv, sys.stdout.buffer)
    errors.join()
    return channel.recv_exit_status()


def one_of_many(client, options, index):
    _, stdout, _ = client.exec_command(f"I={index}; {options.command}")
    output = stdout.read().decode().strip()
    sys.stdout.write(f"{index} {stdout.channel.recv_exit_status()} {output}\n")


def many(client, options):
    threads = [threading.Thread(target=one_of_many, args=(client, options, i)) for i in range(options.channels)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def copy(client, options):
    with client.open_sftp() as sftp:
        sftp.put(options.put, options.command)
        sftp.get(options.command, options.get)


def main(options):
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.MissingHostKeyPolicy())
    login = {"password": options.password} if options.password else {"key_filename": options.key}
    client.connect("127.0.0.1", options.port, options.user, allow_agent=False, look_for_keys=False, timeout=60, **login)
    with client:
        act = many if options.channels else copy if options.put else run
        return act(client, options)


options = parser.parse_args()
if options.debug:
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
sys.exit(main(options))
