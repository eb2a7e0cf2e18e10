package forward

import (
	"bytes"
	"encoding/hex"
	"io"
	"math/rand"
	"testing"

	"containerssh-agent/internal/cbor"
)

func packetsOf(stream []byte) ([]packet, error) {
	from := cbor.Decoder{From: bytes.NewReader(stream)}
	var found []packet
	for {
		one, err := readPacket(from)
		if err != nil {
			return found, err
		}
		found = append(found, one)
	}
}

func TestPacketsAreThoseOfOldAgents(t *testing.T) {
	for text, wanted := range map[string]packet{
		"a36454797065016c436f6e6e656374696f6e496401675061796c6f6164f6":         {kind: kindSuccess, id: 1},
		"a36454797065036c436f6e6e656374696f6e496401675061796c6f61644470696e67": {kind: kindData, id: 1, payload: []byte("ping")},
	} {
		written := append(appendHead(nil, wanted.kind, wanted.id, len(wanted.payload)), wanted.payload...)
		if hex.EncodeToString(written) != text {
			t.Errorf("%x, not %s", written, text)
		}
		found, err := packetsOf(written)
		if err != io.EOF || len(found) != 1 || found[0].kind != wanted.kind || !bytes.Equal(found[0].payload, wanted.payload) {
			t.Errorf("%+v %v", found, err)
		}
	}
}

func TestKeysMayComeInAnyOrderAndCaseAndWithOthers(t *testing.T) {
	// {"payload": "a" as bytes, "new": [1, {"a": null}], "TYPE": 3, "connectionid": 300}
	text := "a4677061796c6f61644161636e65778201a16161f66454595045036c636f6e6e656374696f6e696419012c"
	stream, _ := hex.DecodeString(text)
	found, err := packetsOf(stream)
	if err != io.EOF || len(found) != 1 || found[0].kind != kindData || found[0].id != 300 || string(found[0].payload) != "a" {
		t.Errorf("%+v %v", found, err)
	}
}

func TestWhatIsNoPacketIsAnError(t *testing.T) {
	good := append(appendHead(nil, kindData, 1, 4), "ping"...)
	for length := 1; length < len(good); length++ {
		if _, err := packetsOf(good[:length]); err == nil || err == io.EOF {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
	for _, text := range []string{"ff", "9f", "bf", "a1", "a16454797065", "a164547970656101", "5bffffffffffffffff", "a1616181818181818181818181"} {
		stream, _ := hex.DecodeString(text)
		if _, err := packetsOf(stream); err == nil || err == io.EOF {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestNoiseEnds(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	good := append(appendHead(nil, kindData, 1, 4), "ping"...)
	for range 100_000 {
		noise := bytes.Clone(good)
		for range 1 + random.Intn(4) {
			noise[random.Intn(len(noise))] = byte(random.Intn(256))
		}
		found, err := packetsOf(noise)
		if err == nil {
			t.Fatalf("%x has no end", noise)
		}
		for _, one := range found {
			readSetup(one.payload)
			readPlace(one.payload)
		}
	}
}
