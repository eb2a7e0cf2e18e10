package forward

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Displays are ports from 6000 on (X Window System Protocol, appendix B). sshd begins with the tenth, too.
const (
	firstPort    = 6000
	firstDisplay = 10
	lastDisplay  = 1000
)

// openDisplay listens as a display, and writes the cookie where programs look for it. An image needs no xauth for that.
func openDisplay(wanted setup, extended bool) (*opened, error) {
	cookie, err := hex.DecodeString(wanted.authCookie)
	if err != nil {
		return nil, errors.New("the cookie of the display is not hexadecimal")
	}
	last := firstDisplay
	if extended {
		last = lastDisplay
	}
	made, err := listenDisplay(last)
	if err != nil {
		return nil, errors.New("there is no free display: " + reasonOf(err))
	}
	entry := authority(int(made.port-firstPort), wanted.authProtocol, cookie)
	if extended {
		err = made.writeOwn(entry)
	} else {
		err = writeShared(entry)
	}
	if err != nil {
		made.close()
		return nil, err
	}
	made.single = wanted.single
	made.bound = place{protocol: "tcp", address: "127.0.0.1", port: made.port}
	return made, nil
}

func listenDisplay(last int) (*opened, error) {
	var first error
	for display := firstDisplay; display <= last; display++ {
		made, err := listenTCP("localhost", uint64(firstPort+display))
		if err == nil {
			return made, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// Xau.h: an entry that is right for every host.
const familyWild = 0xffff

// authority is an entry of an Xauthority file (Xsecurity(7); the form is that of libXau).
func authority(display int, protocol string, cookie []byte) []byte {
	to := binary.BigEndian.AppendUint16(nil, familyWild)
	for _, field := range [][]byte{nil, []byte(strconv.Itoa(display)), []byte(protocol), cookie} {
		to = append(binary.BigEndian.AppendUint16(to, uint16(len(field))), field...)
	}
	return to
}

func (o *opened) writeOwn(entry []byte) error {
	folder, err := ownFolder()
	if err != nil {
		return err
	}
	o.folder = folder
	o.path = filepath.Join(folder, "Xauthority")
	return os.WriteFile(o.path, entry, 0o600)
}

// writeShared puts the entry first, where it wins over older ones. Old servers say nothing of a place of its own.
func writeShared(entry []byte) error {
	path := os.Getenv("XAUTHORITY")
	if path == "" {
		path = ".Xauthority"
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(fresh, append(entry, old...), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}
