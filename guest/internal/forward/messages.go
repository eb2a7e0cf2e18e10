package forward

import (
	"bytes"
	"strings"

	"containerssh-agent/internal/cbor"
)

// Values of ConnectionType.
const (
	typeX11           = 0
	typeListen        = 1
	typeDial          = 2
	typeListenSocket  = 3
	typeDialSocket    = 4
	extensionsVersion = 1
)

// setup is the payload of SETUP.
type setup struct {
	connectionType uint64
	host           string
	port           uint64
	protocol       string
	screen         string
	single         bool
	authProtocol   string
	authCookie     string
	extensions     uint64
	window         uint64
}

const mostUint32 = 1<<32 - 1

func readSetup(payload []byte) (setup, error) {
	var got setup
	from := cbor.Decoder{From: bytes.NewReader(payload)}
	err := from.Map(func(key string) (err error) {
		switch strings.ToLower(key) {
		case "connectiontype":
			got.connectionType, err = from.Uint(mostUint32)
		case "bindhost":
			got.host, err = from.Text()
		case "bindport":
			got.port, err = from.Uint(mostUint32)
		case "protocol":
			got.protocol, err = from.Text()
		case "screen":
			got.screen, err = from.Text()
		case "singleconnection":
			got.single, err = from.Bool()
		case "authprotocol":
			got.authProtocol, err = from.Text()
		case "authcookie":
			got.authCookie, err = from.Text()
		case "extensions":
			got.extensions, err = from.Uint(mostUint32)
		case "window":
			got.window, err = from.Uint(mostUint32)
		default:
			err = from.Skip()
		}
		return err
	})
	return got, err
}

// ready is the payload of SUCCESS to a SETUP with extensions.
type ready struct {
	window uint64
	// Of a listener: what the system chose.
	port uint64
	path string
}

func (r ready) encode() []byte {
	to := cbor.AppendMap(nil, 4)
	to = cbor.AppendUint(cbor.AppendText(to, "Extensions"), extensionsVersion)
	to = cbor.AppendUint(cbor.AppendText(to, "Window"), r.window)
	to = cbor.AppendUint(cbor.AppendText(to, "Port"), r.port)
	return cbor.AppendText(cbor.AppendText(to, "Path"), r.path)
}

// place is the payload of NEW_CONNECTION.
type place struct {
	protocol   string
	address    string
	port       uint64
	origin     string
	originPort uint64
}

func readPlace(payload []byte) (place, error) {
	var got place
	from := cbor.Decoder{From: bytes.NewReader(payload)}
	err := from.Map(func(key string) (err error) {
		switch strings.ToLower(key) {
		case "protocol":
			got.protocol, err = from.Text()
		case "connectedaddress":
			got.address, err = from.Text()
		case "connectedport":
			got.port, err = from.Uint(mostUint32)
		case "originatoraddress":
			got.origin, err = from.Text()
		case "originatorport":
			got.originPort, err = from.Uint(mostUint32)
		default:
			err = from.Skip()
		}
		return err
	})
	return got, err
}

func (p place) encode() []byte {
	to := cbor.AppendMap(nil, 5)
	to = cbor.AppendText(cbor.AppendText(to, "Protocol"), p.protocol)
	to = cbor.AppendText(cbor.AppendText(to, "ConnectedAddress"), p.address)
	to = cbor.AppendUint(cbor.AppendText(to, "ConnectedPort"), p.port)
	to = cbor.AppendText(cbor.AppendText(to, "OriginatorAddress"), p.origin)
	return cbor.AppendUint(cbor.AppendText(to, "OriginatorPort"), p.originPort)
}
