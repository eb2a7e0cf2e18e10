package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
)

// Window and packets as OpenSSH's client announces them, and when it opens the window again: three packets consumed.
const (
	rawWindow  = 2 << 20
	rawPacket  = 32768
	rawConsume = 3 * rawPacket
)

// rawBulk is one stream over the packet layer of our own. It copies nothing and allocates nothing per packet, and so takes
// a third of the CPU time of the library's client: on a machine that runs the server too, a client's cost is the server's loss.
func rawBulk(target *target, stream func(*rawStream) error, first, command string, bytes, rekey int64) (elapsed time.Duration, exchanges int, err error) {
	wire, err := target.dialRaw()
	if err != nil {
		return 0, 0, err
	}
	defer wire.conn.Close()
	wire.lend()
	wire.limit = rekey
	run := func(command string, bytes int64, stream func(*rawStream) error) error {
		session := &rawStream{rawSession: rawSession{rawWire: wire}, bytes: bytes, granted: make(chan int64, 1024)}
		if err := session.openSession(rawWindow, rawPacket); err != nil {
			return err
		}
		if err := session.exec(command); err != nil {
			return err
		}
		return stream(session)
	}
	if first != "" {
		if err := run(first, 0, (*rawStream).down); err != nil {
			return 0, 0, err
		}
	}
	begin := time.Now()
	err = run(command, bytes, stream)
	return time.Since(begin), wire.exchanges, err
}

type rawStream struct {
	rawSession
	bytes, got int64
	// What the server allows us to send, as it comes.
	granted chan int64
}

// down takes the bytes of the command and waits for its end.
func (s *rawStream) down() error {
	if err := s.listen(); err != nil {
		return err
	}
	if s.got != s.bytes {
		return fmt.Errorf("the server sent %d bytes instead of %d", s.got, s.bytes)
	}
	return nil
}

// up sends the bytes to the command and waits for its end.
func (s *rawStream) up() error {
	ended := make(chan error, 1)
	go func() {
		ended <- s.listen()
		close(s.granted)
	}()
	if err := s.sendAll(); err != nil {
		return errors.Join(err, s.conn.Close(), <-ended)
	}
	return <-ended
}

func (s *rawStream) sendAll() error {
	plain := message(msgChannelData, struct {
		Channel uint32
		Data    []byte
	}{s.remote, make([]byte, rawPacket)})
	batch := make([]byte, 0, 4*(rawPacket+64))
	window := int64(s.window)
	for left := s.bytes; left > 0; {
		for window == 0 {
			more, open := <-s.granted
			if !open {
				return errors.New("the command ended before it had all its input")
			}
			window += more
		}
		batch = batch[:0]
		s.sending.Lock()
		for window > 0 && left > 0 && len(batch)+rawPacket+64 <= cap(batch) {
			n := min(rawPacket, window, left)
			binary.BigEndian.PutUint32(plain[5:], uint32(n))
			batch = s.appendFrame(batch, plain[:9+n])
			window -= n
			left -= n
		}
		err := s.write(batch)
		s.sending.Unlock()
		if err != nil {
			return err
		}
	}
	return s.send(message(msgChannelEOF, struct{ Channel uint32 }{s.remote}))
}

// listen handles what the server sends until it closes the channel.
func (s *rawStream) listen() error {
	var consumed uint32
	for {
		payload, err := s.next()
		if err != nil {
			return err
		}
		switch payload[0] {
		case msgChannelData:
			n := uint32(len(payload) - 9)
			s.got += int64(n)
			if consumed += n; consumed < rawConsume {
				continue
			}
			if err := s.send(message(msgWindowAdjust, struct{ Channel, Bytes uint32 }{s.remote, consumed})); err != nil {
				return err
			}
			consumed = 0
		case msgWindowAdjust:
			s.granted <- int64(binary.BigEndian.Uint32(payload[5:]))
		case msgChannelFailure:
			return errors.New("the command was refused")
		case msgChannelRequest:
			var m struct {
				Channel uint32
				Kind    string
				Reply   bool
				Rest    []byte `ssh:"rest"`
			}
			if err := ssh.Unmarshal(payload[1:], &m); err != nil {
				return err
			}
			if m.Kind == "exit-status" && len(m.Rest) == 4 && binary.BigEndian.Uint32(m.Rest) != 0 {
				return fmt.Errorf("the command ended with status %d", binary.BigEndian.Uint32(m.Rest))
			}
		case msgChannelClose:
			return s.send(message(msgChannelClose, struct{ Channel uint32 }{s.remote}))
		}
	}
}
