package sandbox

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// A start is what the server writes first: the length (four bytes, big endian), and texts that each end with NUL.
type start struct {
	id     string
	tty    bool
	size   *unix.Winsize
	folder string
	words  []string
	env    []string
}

// mostStartBytes: more than the kernel takes as arguments and environment (execve(2)).
const mostStartBytes = 4 << 20

var errStart = errors.New("this is no start of a program")

func readStart(from io.Reader) (start, error) {
	var length [4]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return start{}, err
	}
	bytes := binary.BigEndian.Uint32(length[:])
	if bytes > mostStartBytes {
		return start{}, errStart
	}
	text := make([]byte, bytes)
	if _, err := io.ReadFull(from, text); err != nil {
		return start{}, err
	}
	return parseStart(string(text))
}

// parseStart: id, `tty` or nothing, four numbers of the size, folder, number of words, words, environment.
func parseStart(text string) (start, error) {
	fields := strings.Split(text, "\x00")
	const before = 8
	if len(fields) < before+2 || fields[len(fields)-1] != "" {
		return start{}, errStart
	}
	fields = fields[:len(fields)-1]
	numbers := make([]int, 0, 5)
	for _, field := range append(append([]string{}, fields[2:6]...), fields[7]) {
		number, err := strconv.Atoi(field)
		if err != nil {
			return start{}, errStart
		}
		numbers = append(numbers, number)
	}
	count := numbers[4]
	if count < 1 || before+count > len(fields) {
		return start{}, errStart
	}
	return start{
		id:     fields[0],
		tty:    fields[1] == "tty",
		size:   sizeOf(numbers[:4]),
		folder: fields[6],
		words:  fields[before : before+count],
		env:    fields[before+count:],
	}, nil
}

// The kinds of frame that go to the server. The head is that of Docker's streams: kind, three times zero, length.
const (
	outputKind = 1
	errorKind  = 2
	newsKind   = 3
	headBytes  = 8
	// dataBytes is what one packet of SSH carries.
	dataBytes = 32 << 10
)

type wire struct {
	connection *net.UnixConn
	mutex      sync.Mutex
}

// send takes a buffer whose first bytes are room for the head.
func (w *wire) send(kind byte, frame []byte) error {
	copy(frame, []byte{kind, 0, 0, 0})
	binary.BigEndian.PutUint32(frame[4:], uint32(len(frame)-headBytes))
	w.mutex.Lock()
	defer w.mutex.Unlock()
	_, err := w.connection.Write(frame)
	return err
}

func (w *wire) tell(kind byte, text string) {
	// A server that does not hear it has closed the connection.
	_ = w.send(kind, append(make([]byte, headBytes), text...))
}

// carry moves output until there is no more. Nobody to take it: the program learns that from its next write.
func (w *wire) carry(kind byte, from io.ReadCloser) {
	defer from.Close()
	buffer := make([]byte, headBytes+dataBytes)
	for {
		n, err := from.Read(buffer[headBytes:])
		if n > 0 && w.send(kind, buffer[:headBytes+n]) != nil {
			return
		}
		// A terminal without programs gives EIO.
		if err != nil {
			return
		}
	}
}
