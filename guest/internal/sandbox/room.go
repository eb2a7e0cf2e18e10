package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// A Room is what the first process does before it gives up its rights over its namespaces: mounts, in words of
// bubblewrap (bwrap(1)), and a name. Whoever made the namespaces may have done a part of it.
type Room struct {
	Hostname string
	// Loopback: the network is one of its own, whose only device is down as yet.
	Loopback bool
	// Words of mounts. If the first of them mount the root, this process leaves the root that it was started in.
	Words []string
}

const (
	// stage is where the root is built; what it holds is seen from a root of our own, below old and new.
	stage     = "/tmp"
	oldRoot   = "/old"
	newRoot   = "/new"
	stageData = "size=65536,nr_inodes=16,mode=0700"
)

// Make comes back in the room.
func (r Room) Make() error {
	if r.Hostname != "" {
		if err := unix.Sethostname([]byte(r.Hostname)); err != nil {
			return fmt.Errorf("the host name %s: %w", r.Hostname, err)
		}
	}
	if r.Loopback {
		if err := raiseLoopback(); err != nil {
			return fmt.Errorf("the network device lo: %w", err)
		}
	}
	steps, err := parseSteps(r.Words)
	if err != nil {
		return err
	}
	place := builder{}
	if buildsRoot(steps) {
		if err := openStage(); err != nil {
			return err
		}
		place = builder{from: oldRoot, to: newRoot}
	}
	for _, step := range steps {
		if err := place.take(step); err != nil {
			return fmt.Errorf("%s %s: %w", step.kind, step.path, err)
		}
	}
	if place.to == "" {
		return nil
	}
	return enterRoot()
}

// raiseLoopback gives lo its addresses, too (netdevice(7)).
func raiseLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
}

func openStage() error {
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("the mounts of the machine: %w", err)
	}
	if err := unix.Mount("tmpfs", stage, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, stageData); err != nil {
		return fmt.Errorf("a file system in memory: %w", err)
	}
	for _, folder := range []string{oldRoot, newRoot} {
		if err := os.Mkdir(stage+folder, 0o755); err != nil {
			return err
		}
	}
	if err := unix.PivotRoot(stage, stage+oldRoot); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	return os.Chdir("/")
}

// enterRoot leaves nothing mounted but what is below the new root (pivot_root(2), the place about `.`).
func enterRoot() error {
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("the old root: %w", err)
	}
	return os.Chdir("/")
}

// A step is one mount, folder or link. perms, size and inodes count for the next step alone.
type step struct {
	kind, source, path string
	perms              uint32
	size, inodes       uint64
}

// Number of paths after each word.
var stepPaths = map[string]int{
	"--tmpfs": 1, "--dir": 1, "--proc": 1, "--devpts": 1, "--remount-ro": 1, "--remount": 1,
	"--ro-bind": 2, "--ro-bind-try": 2, "--dev-bind": 2, "--symlink": 2,
}

func buildsRoot(steps []step) bool {
	return len(steps) > 0 && steps[0].kind == "--tmpfs" && steps[0].path == "/"
}

func parseSteps(words []string) ([]step, error) {
	const perms = 0o755
	var steps []step
	next := step{perms: perms}
	for at := 0; at < len(words); at++ {
		word := words[at]
		paths, isStep := stepPaths[word]
		wanted := max(paths, 1)
		if at+wanted >= len(words) {
			return nil, fmt.Errorf("%s wants %d more", word, wanted)
		}
		if !isStep {
			if err := next.modify(word, words[at+1]); err != nil {
				return nil, err
			}
			at++
			continue
		}
		next.kind, next.path = word, words[at+paths]
		if paths == 2 {
			next.source = words[at+1]
		}
		if !filepath.IsAbs(next.path) {
			return nil, fmt.Errorf("%s wants an absolute path, not %s", word, next.path)
		}
		at += paths
		steps = append(steps, next)
		next = step{perms: perms}
	}
	return steps, nil
}

func (s *step) modify(word, value string) error {
	base, bits := 10, 63
	if word == "--perms" {
		base, bits = 8, 12
	}
	number, err := strconv.ParseUint(value, base, bits)
	if err != nil {
		return fmt.Errorf("%s wants a number, not %s", word, value)
	}
	switch word {
	case "--perms":
		s.perms = uint32(number)
	case "--size":
		s.size = number
	case "--inodes":
		s.inodes = number
	default:
		return fmt.Errorf("there is no word %s", word)
	}
	return nil
}
