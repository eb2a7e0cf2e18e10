"""Runs a command on a terminal of 100x30, makes it 91x17 once that was printed, and ends when that was printed, too."""
import fcntl, os, pty, select, struct, sys, termios, time

def resize(fd, columns, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

child, fd = pty.fork()
if child == 0:
    resize(0, 100, 30)
    os.execvp(sys.argv[1], sys.argv[1:])
seen, resized, deadline = b"", False, time.monotonic() + 60
while b"91x17" not in seen and time.monotonic() < deadline:
    if select.select([fd], [], [], 1)[0]:
        try:
            seen += os.read(fd, 4096)
        except OSError:
            break
    if b"100x30" in seen and not resized:
        resized = True
        resize(fd, 91, 17)
sys.stdout.buffer.write(seen)
sys.stdout.flush()
os.close(fd)
os.waitpid(child, 0)
