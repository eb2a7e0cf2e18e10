package main

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"math/big"

	"golang.org/x/crypto/ssh"
)

// rekeyBytes is when a client should ask for new keys: RFC 4253 section 9.
const rekeyBytes = 1 << 30

// mostHeld bounds what may come between our KEXINIT and the server's: at least a window of data.
const mostHeld = 4 * rawWindow

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

// firstExchange exchanges identifications and keys; the hash of this exchange is the session's name.
func (w *rawWire) firstExchange() error {
	theirs, err := identify(w.conn, w.in)
	if err != nil {
		return err
	}
	w.theirs = theirs
	w.sending.Lock()
	defer w.sending.Unlock()
	ourInit := offer()
	if err := w.sendLocked(ourInit); err != nil {
		return err
	}
	theirInit, err := w.expect(msgKexInit)
	if err != nil {
		return err
	}
	return w.exchange(ourInit, theirInit)
}

// answerKexInit changes keys because the server has begun to. Nobody else sends until it is done.
func (w *rawWire) answerKexInit(theirInit []byte) error {
	w.sending.Lock()
	defer w.sending.Unlock()
	ourInit := offer()
	if err := w.sendLocked(ourInit); err != nil {
		return err
	}
	return w.exchange(ourInit, theirInit)
}

// rekey changes keys because it is time to. What the server had sent before it saw that is held, for nextPacket.
func (w *rawWire) rekey() error {
	w.sending.Lock()
	defer w.sending.Unlock()
	ourInit := offer()
	if err := w.sendLocked(ourInit); err != nil {
		return err
	}
	for size := 0; ; {
		payload, err := w.receive()
		if err != nil {
			return err
		}
		if payload[0] == msgKexInit {
			return w.exchange(ourInit, payload)
		}
		if size += len(payload); size > mostHeld {
			return errors.New("the server does not answer SSH_MSG_KEXINIT")
		}
		w.held = append(w.held, append([]byte(nil), payload...))
	}
}

// exchange runs the key exchange of RFC 8731 from behind both KEXINITs, without checking the server's signature. The
// caller holds the lock of whoever sends.
func (w *rawWire) exchange(ourInit, theirInit []byte) error {
	w.rekeying = true
	defer func() { w.rekeying = false }()
	// It lies where the next packet will be.
	theirInit = append([]byte(nil), theirInit...)
	secret, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	if err := w.sendLocked(message(msgKexECDHInit, struct{ Q []byte }{secret.PublicKey().Bytes()})); err != nil {
		return err
	}
	payload, err := w.expect(msgKexECDHInit + 1)
	if err != nil {
		return err
	}
	var reply struct{ HostKey, Q, Signature []byte }
	if err := ssh.Unmarshal(payload[1:], &reply); err != nil {
		return err
	}
	public, err := ecdh.X25519().NewPublicKey(reply.Q)
	if err != nil {
		return err
	}
	shared, err := secret.ECDH(public)
	if err != nil {
		return err
	}
	k := ssh.Marshal(struct{ K *big.Int }{new(big.Int).SetBytes(shared)})
	hash := sha256.Sum256(append(ssh.Marshal(struct {
		Ours, Theirs          string
		OurInit, TheirInit    []byte
		HostKey, OurQ, TheirQ []byte
	}{identification, w.theirs, ourInit, theirInit, reply.HostKey, secret.PublicKey().Bytes(), reply.Q}), k...))
	if w.session == nil {
		w.session = hash[:]
	}
	return w.newKeys(k, hash[:])
}

// newKeys derives the keys, RFC 4253 section 7.2, and switches both directions, each behind its SSH_MSG_NEWKEYS.
func (w *rawWire) newKeys(k, hash []byte) error {
	derive := func(letter byte) []byte {
		digest := sha256.New()
		digest.Write(k)
		digest.Write(hash)
		digest.Write([]byte{letter})
		digest.Write(w.session)
		return digest.Sum(nil)
	}
	if err := w.sendLocked([]byte{msgNewKeys}); err != nil {
		return err
	}
	var err error
	if w.seal, w.sealIV, err = key(derive('C'), derive('A')); err != nil {
		return err
	}
	if _, err := w.expect(msgNewKeys); err != nil {
		return err
	}
	if w.open, w.opIV, err = key(derive('D'), derive('B')); err != nil {
		return err
	}
	w.sent.Store(0)
	w.received = 0
	w.exchanges++
	return nil
}
