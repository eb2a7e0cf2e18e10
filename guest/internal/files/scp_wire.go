package files

import (
	"bufio"
	"io"
	"strings"
)

// What either end answers with; a text and a newline follow all but the first.
const (
	scpDone    = 0
	scpWarning = 1
	scpEnd     = 2
)

// A line is a name of at most 255 bytes and some numbers; a text may be longer.
const mostLineBytes = 64 * 1024

// scpFatal ends the conversation; the client is told.
type scpFatal string

func (e scpFatal) Error() string { return string(e) }

// A scpWire is the connection with the client.
type scpWire struct {
	in  *bufio.Reader
	out io.Writer
	// Either end has said that something went wrong.
	failed bool
}

func newScpWire(in io.Reader, out io.Writer) *scpWire {
	return &scpWire{in: bufio.NewReaderSize(in, mostLineBytes), out: out}
}

func (w *scpWire) say(text string) error {
	_, err := io.WriteString(w.out, text)
	return err
}

func (w *scpWire) done() error { return w.say("\x00") }

func (w *scpWire) warn(problem error) error {
	w.failed = true
	return w.say("\x01scp: " + oneLine(reasonOf(problem)) + "\n")
}

func (w *scpWire) fatal(problem error) error {
	w.failed = true
	return w.say("\x02scp: " + oneLine(problem.Error()) + "\n")
}

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "?") }

// line gives the next one without its end; io.EOF when there is none.
func (w *scpWire) line() (string, error) {
	bytes, err := w.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return "", scpFatal("the line is too long")
	}
	if err != nil {
		return "", err
	}
	return string(bytes[:len(bytes)-1]), nil
}

// answer tells whether the client goes on with what was announced to it.
func (w *scpWire) answer() (bool, error) {
	kind, err := w.in.ReadByte()
	if err != nil || kind == scpDone {
		return err == nil, err
	}
	w.failed = true
	text, err := w.line()
	if err == nil && kind != scpWarning {
		err = scpFatal("the client gave up: " + text)
	}
	return false, err
}
