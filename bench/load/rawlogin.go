package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Message numbers of RFC 4250 section 4.1.2 that the raw client sends or understands.
const (
	msgDisconnect     = 1
	msgIgnore         = 2
	msgDebug          = 4
	msgServiceRequest = 5
	msgServiceAccept  = 6
	msgExtInfo        = 7
	msgKexInit        = 20
	msgNewKeys        = 21
	msgKexECDHInit    = 30
	msgUserauth       = 50
	msgUserauthOK     = 52
	msgBanner         = 53
	msgGlobalRequest  = 80
	msgChannelOpen    = 90
	msgOpenConfirmed  = 91
	msgOpenFailure    = 92
	msgWindowAdjust   = 93
	msgChannelData    = 94
	msgChannelEOF     = 96
	msgChannelClose   = 97
	msgChannelRequest = 98
	msgChannelSuccess = 99
	msgChannelFailure = 100
)

const identification = "SSH-2.0-load"

// disconnected is the server's SSH_MSG_DISCONNECT.
type disconnected struct {
	reason uint32
	text   string
}

func (d *disconnected) Error() string {
	return fmt.Sprintf("disconnected with reason %d: %s", d.reason, d.text)
}

// next skips what RFC 4253 section 11 allows at any time, and changes keys where it is time for that; a disconnect becomes an
// error. Only one goroutine may call it.
func (w *rawWire) next() ([]byte, error) {
	for {
		payload, err := w.nextPacket()
		if err != nil {
			return nil, err
		}
		switch payload[0] {
		case msgKexInit:
			if w.session == nil || w.rekeying {
				return payload, nil
			}
			if err := w.answerKexInit(payload); err != nil {
				return nil, err
			}
			continue
		case msgIgnore, msgDebug, msgExtInfo, msgBanner:
			continue
		case msgDisconnect:
			var m struct {
				Reason   uint32
				Text     string
				Language string
			}
			if err := ssh.Unmarshal(payload[1:], &m); err != nil {
				return nil, err
			}
			return nil, &disconnected{m.Reason, m.Text}
		}
		return payload, nil
	}
}

func (w *rawWire) expect(number byte) ([]byte, error) {
	payload, err := w.next()
	if err == nil && payload[0] != number {
		err = fmt.Errorf("message %d instead of %d", payload[0], number)
	}
	return payload, err
}

// message marshals the fields behind a message number.
func message(number byte, fields any) []byte { return append([]byte{number}, ssh.Marshal(fields)...) }

// dialRaw connects and logs in with curve25519-sha256 and aes128-gcm@openssh.com.
func (t *target) dialRaw() (*rawWire, error) {
	conn, err := net.DialTimeout("tcp", t.address, t.timeout)
	if err != nil {
		return nil, err
	}
	w := newRawWire(conn)
	err = errors.Join(conn.SetDeadline(time.Now().Add(t.timeout)))
	if err == nil {
		if err = w.firstExchange(); err == nil {
			err = w.authenticate(t, w.session)
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return w, conn.SetDeadline(time.Time{})
}

func identify(conn net.Conn, in *bufio.Reader) (string, error) {
	if _, err := conn.Write([]byte(identification + "\r\n")); err != nil {
		return "", err
	}
	// Lines before the identification are allowed, RFC 4253 section 4.2.
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(line, "SSH-") {
			return strings.TrimRight(line, "\r\n"), nil
		}
	}
}

func (w *rawWire) authenticate(t *target, session []byte) error {
	if err := w.send(message(msgServiceRequest, struct{ Name string }{"ssh-userauth"})); err != nil {
		return err
	}
	if _, err := w.expect(msgServiceAccept); err != nil {
		return err
	}
	request, err := t.rawRequest(session)
	if err != nil {
		return err
	}
	if err := w.send(request); err != nil {
		return err
	}
	_, err = w.expect(msgUserauthOK)
	return err
}

// rawRequest makes the USERAUTH_REQUEST, RFC 4252 sections 7 and 8.
func (t *target) rawRequest(session []byte) ([]byte, error) {
	signer, err := t.signer()
	if err != nil {
		return nil, err
	}
	if signer == nil {
		return message(msgUserauth, struct {
			User, Service, Method string
			Change                bool
			Password              string
		}{t.user, "ssh-connection", "password", false, t.password}), nil
	}
	request := message(msgUserauth, struct {
		User, Service, Method string
		Signed                bool
		Algorithm             string
		Key                   []byte
	}{t.user, "ssh-connection", "publickey", true, signer.PublicKey().Type(), signer.PublicKey().Marshal()})
	signature, err := signer.Sign(rand.Reader, append(ssh.Marshal(struct{ ID []byte }{session}), request...))
	if err != nil {
		return nil, err
	}
	return append(request, ssh.Marshal(struct{ Signature []byte }{ssh.Marshal(signature)})...), nil
}
