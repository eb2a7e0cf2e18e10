"""A command line above AsyncSSH; see client.ts."""
import asyncio, logging, os, signal, sys
import asyncssh
from arguments import parser, terminal_size


async def run(connection, options):
    terminal = {"term_type": "xterm", "term_size": terminal_size()} if options.terminal else {}
    process = await connection.create_process(
        options.command, stdin=os.dup(0), stdout=os.dup(1), stderr=os.dup(2), encoding=None, **terminal
    )
    if options.terminal:
        resize = lambda: process.change_terminal_size(*terminal_size())
        asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, resize)
    await process.wait()
    if process.exit_signal:
        print("exit-signal", process.exit_signal[0], file=sys.stderr)
        return 255
    return process.exit_status


async def channel(connection, options, index):
    done = await connection.run(f"I={index}; {options.command}", stdin=asyncssh.DEVNULL)
    print(index, done.exit_status, done.stdout.strip())


async def copy(connection, options):
    async with connection.start_sftp_client() as sftp:
        await sftp.put(options.put, options.command)
        await sftp.get(options.command, options.get)


async def main(options):
    login = {"password": options.password} if options.password else {"client_keys": [options.key]}
    if options.rekey:
        login["rekey_bytes"] = options.rekey
    async with asyncssh.connect(
        "127.0.0.1", options.port, username=options.user, known_hosts=None, agent_path=None, config=None, **login
    ) as connection:
        if options.channels:
            await asyncio.gather(*(channel(connection, options, index) for index in range(options.channels)))
        elif options.put:
            await copy(connection, options)
        else:
            return await run(connection, options)


options = parser.parse_args()
if options.debug:
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    asyncssh.set_debug_level(2)
sys.exit(asyncio.run(main(options)))
