package cbor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Nobody has to keep more for one item, nor to descend deeper.
const (
	mostBytes = 1 << 20
	mostPairs = 256
	mostDepth = 8
)

// A Source is what items are read from; a *bufio.Reader or a *bytes.Reader.
type Source interface {
	io.Reader
	io.ByteReader
}

// A Decoder reads one item after the other.
type Decoder struct{ From Source }

// head gives io.EOF only if there is not even a first byte.
func (d Decoder) head() (major byte, number uint64, err error) {
	first, err := d.From.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	major, low := first>>5, first&31
	if low < 24 {
		return major, uint64(low), nil
	}
	if low > 27 {
		return 0, 0, fmt.Errorf("an item of indefinite length or a reserved one: %#x", first)
	}
	var bytes [8]byte
	size := 1 << (low - 24)
	if _, err := io.ReadFull(d.From, bytes[8-size:]); err != nil {
		return 0, 0, unexpected(err)
	}
	return major, binary.BigEndian.Uint64(bytes[:]), nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (d Decoder) expect(wanted byte, most uint64, what string) (uint64, error) {
	major, number, err := d.head()
	if err == nil && major != wanted {
		err = fmt.Errorf("major type %d where %s is expected", major, what)
	}
	if err == nil && number > most {
		err = fmt.Errorf("%s of %d, the most is %d", what, number, most)
	}
	return number, err
}

func (d Decoder) Uint(most uint64) (uint64, error) { return d.expect(majorUint, most, "a number") }

func (d Decoder) Text() (string, error) {
	length, err := d.expect(majorText, mostBytes, "a text")
	if err != nil {
		return "", err
	}
	bytes, err := d.take(length)
	return string(bytes), err
}

// Bytes takes null for an empty byte string.
func (d Decoder) Bytes() ([]byte, error) {
	major, length, err := d.head()
	switch {
	case err != nil:
		return nil, err
	case major == majorOther && length == simpleNull:
		return nil, nil
	case major != majorBytes || length > mostBytes:
		return nil, fmt.Errorf("major type %d of %d where a byte string is expected", major, length)
	}
	return d.take(length)
}

func (d Decoder) Bool() (bool, error) {
	number, err := d.expect(majorOther, simpleTrue, "true or false")
	if err == nil && number < simpleFalse {
		err = errors.New("a simple value where true or false is expected")
	}
	return number == simpleTrue, err
}

// Map calls field with each key; field reads the value.
func (d Decoder) Map(field func(key string) error) error {
	pairs, err := d.expect(majorMap, mostPairs, "a map")
	for ; err == nil && pairs > 0; pairs-- {
		var key string
		if key, err = d.Text(); err == nil {
			err = field(key)
		}
		err = unexpected(err)
	}
	return err
}

// Skip leaves an item out.
func (d Decoder) Skip() error { return d.skip(mostDepth) }

func (d Decoder) skip(depth int) error {
	major, number, err := d.head()
	if err != nil {
		return unexpected(err)
	}
	items := uint64(0)
	switch major {
	case majorBytes, majorText:
		if number > mostBytes {
			return fmt.Errorf("a string of %d bytes", number)
		}
		_, err = io.CopyN(io.Discard, d.From, int64(number))
		return unexpected(err)
	case majorArray:
		items = number
	case majorMap:
		items = 2 * number
	case majorTag:
		items = 1
	}
	if items > 2*mostPairs || (items > 0 && depth == 0) {
		return errors.New("an item that is too large")
	}
	for ; items > 0; items-- {
		if err := d.skip(depth - 1); err != nil {
			return err
		}
	}
	return nil
}

func (d Decoder) take(length uint64) ([]byte, error) {
	bytes := make([]byte, length)
	_, err := io.ReadFull(d.From, bytes)
	return bytes, unexpected(err)
}
