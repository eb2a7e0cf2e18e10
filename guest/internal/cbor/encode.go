// Package cbor has the part of CBOR (RFC 8949) that the forwarding protocol needs: integers, texts, byte strings, maps,
// true, false and null, all of definite length.
package cbor

// Major types, RFC 8949 section 3.1.
const (
	majorUint  = 0
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorMap   = 5
	majorTag   = 6
	majorOther = 7
)

const (
	simpleFalse = 20
	simpleTrue  = 21
	simpleNull  = 22
)

// appendHead writes the smallest form that holds the number.
func appendHead(to []byte, major byte, number uint64) []byte {
	major <<= 5
	switch {
	case number < 24:
		return append(to, major|byte(number))
	case number <= 0xff:
		return append(to, major|24, byte(number))
	case number <= 0xffff:
		return append(to, major|25, byte(number>>8), byte(number))
	case number <= 0xffffffff:
		return append(to, major|26, byte(number>>24), byte(number>>16), byte(number>>8), byte(number))
	}
	return append(to, major|27, byte(number>>56), byte(number>>48), byte(number>>40), byte(number>>32),
		byte(number>>24), byte(number>>16), byte(number>>8), byte(number))
}

func AppendUint(to []byte, number uint64) []byte { return appendHead(to, majorUint, number) }
func AppendMap(to []byte, pairs int) []byte      { return appendHead(to, majorMap, uint64(pairs)) }
func AppendNull(to []byte) []byte                { return append(to, majorOther<<5|simpleNull) }
func AppendText(to []byte, text string) []byte {
	return append(appendHead(to, majorText, uint64(len(text))), text...)
}

// AppendBytesHead is followed by that many bytes.
func AppendBytesHead(to []byte, length int) []byte {
	return appendHead(to, majorBytes, uint64(length))
}
