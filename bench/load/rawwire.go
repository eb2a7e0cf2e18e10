package main

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// maxPacket is what we accept; RFC 4253 section 6.1 asks for 35000.
const maxPacket = 1 << 18

// rawWire is the packet layer of RFC 4253 with a single cipher, aes128-gcm@openssh.com (RFC 5647), and no rules above it:
// it sends whatever its caller makes up.
type rawWire struct {
	conn net.Conn
	in   *bufio.Reader
	// nil before NEWKEYS.
	seal, open   cipher.AEAD
	sealIV, opIV []byte
	// Packets are opened where they were read.
	lent bool

	// Whoever sends: a key exchange keeps all others from it.
	sending sync.Mutex
	// The server's identification, and the hash of the first key exchange.
	theirs  string
	session []byte
	// While keys are exchanged.
	rekeying  bool
	exchanges int
	// Bytes under the present keys; with so many in one direction we ask for new ones.
	sent     atomic.Int64
	received int64
	limit    int64
	// Payloads that came before the server's answer to our KEXINIT.
	held [][]byte
}

// lend makes what receive returns valid only until its next call; for those who keep nothing. Then a read takes all that
// is there, up to several packets, and no packet is copied.
func (w *rawWire) lend() {
	w.lent = true
	w.in = bufio.NewReaderSize(w.in, 4+maxPacket+16)
}

func newRawWire(conn net.Conn) *rawWire {
	return &rawWire{conn: conn, in: bufio.NewReaderSize(conn, 1<<16), limit: rekeyBytes}
}

// key switches one direction to GCM; both directions are switched by two calls.
func key(secret, iv []byte) (cipher.AEAD, []byte, error) {
	block, err := aes.NewCipher(secret[:16])
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	return aead, iv[:12:12], err
}

// step adds one to the invocation counter, RFC 5647 section 7.1.
func step(iv []byte) {
	binary.BigEndian.PutUint64(iv[4:], binary.BigEndian.Uint64(iv[4:])+1)
}

// appendFrame pads and encrypts a payload at the end of `to`.
func (w *rawWire) appendFrame(to, payload []byte) []byte {
	// With GCM the length field is not part of the padded blocks.
	header, block := 5, 8
	if w.seal != nil {
		header, block = 1, 16
	}
	padding := block - (header+len(payload))%block
	if padding < 4 {
		padding += block
	}
	at := len(to)
	to = binary.BigEndian.AppendUint32(to, uint32(1+len(payload)+padding))
	to = append(to, byte(padding))
	to = append(to, payload...)
	to = append(to, make([]byte, padding)...)
	if w.seal == nil {
		return to
	}
	to = w.seal.Seal(to[:at+4], w.sealIV, to[at+4:], to[at:at+4])
	step(w.sealIV)
	return to
}

func (w *rawWire) send(payload []byte) error {
	w.sending.Lock()
	defer w.sending.Unlock()
	return w.sendLocked(payload)
}

func (w *rawWire) sendLocked(payload []byte) error { return w.write(w.appendFrame(nil, payload)) }

// write sends frames that were made under the same lock.
func (w *rawWire) write(frames []byte) error {
	n, err := w.conn.Write(frames)
	w.sent.Add(int64(n))
	return err
}

// nextPacket returns the next payload, and first of all those that came while keys were exchanged.
func (w *rawWire) nextPacket() ([]byte, error) {
	if w.session != nil && !w.rekeying && (w.received >= w.limit || w.sent.Load() >= w.limit) {
		if err := w.rekey(); err != nil {
			return nil, err
		}
	}
	if len(w.held) > 0 && !w.rekeying {
		payload := w.held[0]
		w.held = w.held[1:]
		return payload, nil
	}
	return w.receive()
}

// receive returns the next payload.
func (w *rawWire) receive() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length < 2 || length > maxPacket {
		return nil, fmt.Errorf("packet of %d bytes", length)
	}
	size := int(length)
	if w.open != nil {
		size += w.open.Overhead()
	}
	w.received += int64(len(head) + size)
	body, err := w.take(size)
	if err != nil {
		return nil, err
	}
	if w.open != nil {
		if body, err = w.open.Open(body[:0], w.opIV, body, head[:]); err != nil {
			return nil, err
		}
		step(w.opIV)
	}
	padding := int(body[0])
	if padding+1 > len(body) {
		return nil, fmt.Errorf("%d bytes of padding in a packet of %d", padding, length)
	}
	return body[1 : len(body)-padding], nil
}

// take returns so many bytes of the connection; lent ones lie in the reader's own memory.
func (w *rawWire) take(size int) ([]byte, error) {
	if w.lent {
		body, err := w.in.Peek(size)
		if err != nil {
			return nil, err
		}
		_, err = w.in.Discard(size)
		return body, err
	}
	body := make([]byte, size)
	_, err := io.ReadFull(w.in, body)
	return body, err
}

func random(n int) []byte {
	bytes := make([]byte, n)
	if _, err := rand.Read(bytes); err != nil {
		panic(err)
	}
	return bytes
}
