package sandbox

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// streams of a program. Pipes rather than the connection itself: programs open /dev/stdout, which no socket can be.
type streams struct {
	theirs   []uintptr
	input    io.WriteCloser
	outputs  map[byte]io.ReadCloser
	terminal *os.File
	toClose  []int
}

func openStreams(order start) (*streams, error) {
	if order.tty {
		return openTerminal(order.size)
	}
	s := &streams{outputs: map[byte]io.ReadCloser{}}
	input, err := s.pipe(true)
	if err != nil {
		return nil, err
	}
	s.input = input
	for _, kind := range []byte{outputKind, errorKind} {
		output, err := s.pipe(false)
		if err != nil {
			s.closeTheirs()
			s.closeOurs()
			return nil, err
		}
		s.outputs[kind] = output
	}
	return s, nil
}

// pipe gives our end, which never blocks a thread. The program's does block, as programs expect.
func (s *streams) pipe(weWrite bool) (*os.File, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	ours, theirs := ends[0], ends[1]
	if weWrite {
		ours, theirs = theirs, ours
	}
	s.theirs = append(s.theirs, uintptr(theirs))
	s.toClose = append(s.toClose, theirs)
	return fileOf(ours)
}

func fileOf(descriptor int) (*os.File, error) {
	if err := unix.SetNonblock(descriptor, true); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(descriptor), "stream"), nil
}

// openTerminal: pts(4). The size is there before the program is.
func openTerminal(size *unix.Winsize) (*streams, error) {
	ours, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	theirs, err := openSlave(ours, size)
	if err != nil {
		unix.Close(ours)
		return nil, err
	}
	terminal, err := fileOf(ours)
	if err != nil {
		return nil, err
	}
	descriptor := uintptr(theirs)
	return &streams{
		theirs:   []uintptr{descriptor, descriptor, descriptor},
		input:    terminal,
		outputs:  map[byte]io.ReadCloser{outputKind: terminal},
		terminal: terminal,
		toClose:  []int{theirs},
	}, nil
}

func openSlave(ours int, size *unix.Winsize) (int, error) {
	if err := unix.IoctlSetPointerInt(ours, unix.TIOCSPTLCK, 0); err != nil {
		return 0, err
	}
	number, err := unix.IoctlGetInt(ours, unix.TIOCGPTN)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlSetWinsize(ours, unix.TIOCSWINSZ, size); err != nil {
		return 0, err
	}
	return unix.Open("/dev/pts/"+strconv.Itoa(number), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
}

func (s *streams) closeTheirs() {
	for _, descriptor := range s.toClose {
		unix.Close(descriptor)
	}
	s.toClose = nil
}

func (s *streams) closeOurs() {
	if s.input != nil {
		s.input.Close()
	}
	for _, output := range s.outputs {
		output.Close()
	}
}
