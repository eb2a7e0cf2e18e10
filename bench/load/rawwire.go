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
}

// lend makes what receive returns valid only until its next call; for those who keep nothing. Then a read takes all that
// is there, up to several packets, and no packet is copied.
func (w *rawWire) lend() {
	w.lent = true
	w.in = bufio.NewReaderSize(w.in, 4+maxPacket+16)
}

func newRawWire(conn net.Conn) *rawWire {
	return &rawWire{conn: conn, in: bufio.NewReaderSize(conn, 1<<16)}
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
	_, err := w.conn.Write(w.appendFrame(nil, payload))
	return err
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
