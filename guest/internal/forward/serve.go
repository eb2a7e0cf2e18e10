package forward

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"containerssh-agent/internal/cbor"
)

// Exit statuses. A signal gives 128 and its number, as from a shell.
const (
	exitDone    = 0
	exitNoPlace = 1
	exitBroken  = 2
)

// Serve does what SETUP says until nothing is left to do.
func Serve(stdin io.Reader, stdout, stderr io.Writer) int {
	link := newLink(stdout, stderr)
	from := cbor.Decoder{From: bufio.NewReaderSize(stdin, 2*dataBytes)}
	wanted, err := awaitSetup(from)
	if err != nil {
		link.log("error", err.Error())
		return exitBroken
	}
	link.extended = wanted.extensions >= extensionsVersion
	link.theirWindow = int64(wanted.window)
	opened, err := link.prepare(wanted)
	if err != nil {
		link.log("error", err.Error())
		link.fail(0, err)
		return exitNoPlace
	}
	defer opened.close()
	link.opened = opened
	var payload []byte
	if link.extended {
		payload = ready{window: ourWindow, port: opened.port, path: opened.path}.encode()
	}
	link.send(kindSuccess, 0, payload)
	opened.accept(link)
	return link.converse(from)
}

func awaitSetup(from cbor.Decoder) (setup, error) {
	first, err := readPacket(from)
	if err != nil {
		return setup{}, fmt.Errorf("there is no SETUP: %w", err)
	}
	if first.kind != kindSetup {
		return setup{}, fmt.Errorf("the first packet is of type %d, not SETUP", first.kind)
	}
	wanted, err := readSetup(first.payload)
	if err != nil {
		return setup{}, fmt.Errorf("the payload of SETUP: %w", err)
	}
	return wanted, nil
}

func (l *link) converse(from cbor.Decoder) int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	broken := make(chan error, 1)
	go func() { broken <- l.listen(from) }()
	select {
	case <-l.over:
		return exitDone
	case got := <-signals:
		return 128 + int(got.(syscall.Signal))
	case err := <-broken:
		// Nobody is there any more, neither for what still runs.
		if errors.Is(err, io.EOF) {
			return exitDone
		}
		l.log("error", err.Error())
		return exitBroken
	}
}

// listen gives io.EOF when the server has ended.
func (l *link) listen(from cbor.Decoder) error {
	for {
		got, err := readPacket(from)
		if err != nil {
			return err
		}
		if err := l.handle(got); err != nil {
			return err
		}
	}
}

func (l *link) handle(got packet) error {
	switch got.kind {
	case kindNew:
		return l.dial(got)
	case kindNoMore:
		l.opened.close()
		l.acceptNoMore()
		return nil
	}
	connection := l.find(got.id)
	if connection == nil {
		// It may have ended while the packet was under way.
		if got.kind == kindClose && !l.extended {
			l.reply(kindError, got.id)
		}
		return nil
	}
	switch got.kind {
	case kindData:
		if !connection.data(got.payload) {
			return fmt.Errorf("connection %d got more than its window", got.id)
		}
	case kindSuccess:
		connection.accepted()
	case kindError:
		connection.refused()
	case kindClose:
		connection.close()
		if !l.extended {
			l.reply(kindSuccess, got.id)
		}
	case kindEnd:
		connection.finish()
	case kindWindow:
		return connection.widen(got.payload)
	default:
		l.log("warning", fmt.Sprintf("there is no packet of type %d", got.kind))
	}
	return nil
}

func (c *connection) widen(payload []byte) error {
	bytes, err := cbor.Decoder{From: bytes.NewReader(payload)}.Uint(mostUint32)
	if err != nil {
		return fmt.Errorf("the payload of a window: %w", err)
	}
	c.grant(bytes)
	return nil
}
