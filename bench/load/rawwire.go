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

// frame pads and encrypts a payload.
func (w *rawWire) frame(payload []byte) []byte {
	// With GCM the length field is not part of the padded blocks.
	header, block := 5, 8
	if w.seal != nil {
		header, block = 1, 16
	}
	padding := block - (header+len(payload))%block
	if padding < 4 {
		padding += block
	}
	packet := make([]byte, 4, 4+1+len(payload)+padding+16)
	binary.BigEndian.PutUint32(packet, uint32(1+len(payload)+padding))
	packet = append(packet, byte(padding))
	packet = append(packet, payload...)
	packet = append(packet, make([]byte, padding)...)
	if w.seal == nil {
		return packet
	}
	sealed := w.seal.Seal(packet[:4], w.sealIV, packet[4:], packet[:4])
	step(w.sealIV)
	return sealed
}

func (w *rawWire) send(payload []byte) error {
	_, err := w.conn.Write(w.frame(payload))
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
	body := make([]byte, length)
	if w.open != nil {
		body = make([]byte, length+16)
	}
	if _, err := io.ReadFull(w.in, body); err != nil {
		return nil, err
	}
	if w.open != nil {
		var err error
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

func random(n int) []byte {
	bytes := make([]byte, n)
	if _, err := rand.Read(bytes); err != nil {
		panic(err)
	}
	return bytes
}
