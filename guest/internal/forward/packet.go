// Package forward connects places of this container with the server at the other end of standard input and output.
//
// The protocol is that of ContainerSSH's guest agent: packets in CBOR, no length prefix. Whoever asks for `Extensions`
// in SETUP gets more: SUCCESS says what was opened, ERROR says why not, each direction of a connection ends on its own,
// and each has a window, so that one connection that nobody reads from does not stop the others.
package forward

import (
	"strings"

	"containerssh-agent/internal/cbor"
)

type kind uint64

const (
	kindSetup kind = iota
	kindSuccess
	kindError
	kindData
	kindNew
	kindClose
	kindNoMore
	// Extensions. Of a connection: so many more bytes may be sent; nothing more will be sent.
	kindWindow
	kindEnd
)

type packet struct {
	kind    kind
	id      uint64
	payload []byte
}

// readPacket gives io.EOF between two packets.
func readPacket(from cbor.Decoder) (packet, error) {
	var got packet
	err := from.Map(func(key string) (err error) {
		switch {
		case strings.EqualFold(key, "Type"):
			var number uint64
			number, err = from.Uint(1<<63 - 1)
			got.kind = kind(number)
		case strings.EqualFold(key, "ConnectionId"):
			got.id, err = from.Uint(1<<64 - 1)
		case strings.EqualFold(key, "Payload"):
			got.payload, err = from.Bytes()
		default:
			err = from.Skip()
		}
		return err
	})
	return got, err
}

// appendHead writes all of a packet but the bytes of its payload.
func appendHead(to []byte, kind kind, id uint64, payload int) []byte {
	to = cbor.AppendMap(to, 3)
	to = cbor.AppendUint(cbor.AppendText(to, "Type"), uint64(kind))
	to = cbor.AppendUint(cbor.AppendText(to, "ConnectionId"), id)
	to = cbor.AppendText(to, "Payload")
	if payload == 0 {
		return cbor.AppendNull(to)
	}
	return cbor.AppendBytesHead(to, payload)
}

// Longer than any head.
const headRoom = 64
