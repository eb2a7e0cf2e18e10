package main

import (
	"bufio"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
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

// next skips what RFC 4253 section 11 allows at any time; a disconnect becomes an error.
func (w *rawWire) next() ([]byte, error) {
	for {
		payload, err := w.receive()
		if err != nil {
			return nil, err
		}
		switch payload[0] {
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
		var session []byte
		if session, err = w.exchange(); err == nil {
			err = w.authenticate(t, session)
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

func offer() []byte {
	return message(msgKexInit, struct {
		Cookie                  [16]byte
		Kex, HostKey            []string
		CipherOut, CipherIn     []string
		MacOut, MacIn           []string
		CompressOut, CompressIn []string
		LanguageOut, LanguageIn []string
		FirstFollows            bool
		Reserved                uint32
	}{
		Cookie: [16]byte(random(16)), Kex: []string{"curve25519-sha256"},
		HostKey:   []string{"ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"},
		CipherOut: []string{"aes128-gcm@openssh.com"}, CipherIn: []string{"aes128-gcm@openssh.com"},
		MacOut: []string{"hmac-sha2-256"}, MacIn: []string{"hmac-sha2-256"},
		CompressOut: []string{"none"}, CompressIn: []string{"none"},
	})
}

// exchange runs the key exchange of RFC 8731 without checking the server's signature, and returns the session id.
func (w *rawWire) exchange() ([]byte, error) {
	theirs, err := identify(w.conn, w.in)
	if err != nil {
		return nil, err
	}
	ourInit := offer()
	if err := w.send(ourInit); err != nil {
		return nil, err
	}
	theirInit, err := w.expect(msgKexInit)
	if err != nil {
		return nil, err
	}
	secret, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := w.send(message(msgKexECDHInit, struct{ Q []byte }{secret.PublicKey().Bytes()})); err != nil {
		return nil, err
	}
	payload, err := w.expect(msgKexECDHInit + 1)
	if err != nil {
		return nil, err
	}
	var reply struct{ HostKey, Q, Signature []byte }
	if err := ssh.Unmarshal(payload[1:], &reply); err != nil {
		return nil, err
	}
	public, err := ecdh.X25519().NewPublicKey(reply.Q)
	if err != nil {
		return nil, err
	}
	shared, err := secret.ECDH(public)
	if err != nil {
		return nil, err
	}
	k := ssh.Marshal(struct{ K *big.Int }{new(big.Int).SetBytes(shared)})
	hash := sha256.Sum256(append(ssh.Marshal(struct {
		Ours, Theirs          string
		OurInit, TheirInit    []byte
		HostKey, OurQ, TheirQ []byte
	}{identification, theirs, ourInit, theirInit, reply.HostKey, secret.PublicKey().Bytes(), reply.Q}), k...))
	return hash[:], w.newKeys(k, hash[:])
}

// newKeys derives the keys, RFC 4253 section 7.2, and switches both directions.
func (w *rawWire) newKeys(k, hash []byte) error {
	derive := func(letter byte) []byte {
		digest := sha256.New()
		digest.Write(k)
		digest.Write(hash)
		digest.Write([]byte{letter})
		digest.Write(hash)
		return digest.Sum(nil)
	}
	if err := w.send([]byte{msgNewKeys}); err != nil {
		return err
	}
	if _, err := w.expect(msgNewKeys); err != nil {
		return err
	}
	var err error
	if w.seal, w.sealIV, err = key(derive('C'), derive('A')); err != nil {
		return err
	}
	w.open, w.opIV, err = key(derive('D'), derive('B'))
	return err
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
