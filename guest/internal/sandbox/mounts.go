package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A builder takes sources below one folder and builds below another; both are empty in a root that is there already.
type builder struct {
	from, to string
}

func (b builder) take(step step) error {
	path := b.to + step.path
	switch step.kind {
	case "--tmpfs":
		return mountMemory(path, step)
	case "--remount":
		return unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, memoryData(step))
	case "--remount-ro":
		return setAttributes(path, unix.MOUNT_ATTR_RDONLY, 0)
	case "--dir":
		return ensureFolder(path, os.FileMode(step.perms))
	case "--symlink":
		return link(step.source, path)
	case "--proc":
		return mountKernel("proc", path, unix.MS_NODEV, "")
	case "--devpts":
		return mountKernel("devpts", path, 0, "newinstance,ptmxmode=0666,mode=620")
	case "--dev-bind":
		return b.bind(step, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	}
	err := b.bind(step, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if step.kind == "--ro-bind-try" && errors.Is(err, errNoSource) {
		return nil
	}
	return err
}

var errNoSource = errors.New("there is no such file")

func mountMemory(path string, step step) error {
	if err := ensureFolder(path, 0o755); err != nil {
		return err
	}
	data := fmt.Sprintf("mode=%o%s", step.perms, memoryData(step))
	return unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, data)
}

// memoryData begins with a comma, or is empty; tmpfs(5).
func memoryData(step step) string {
	data := ""
	if step.size > 0 {
		data += fmt.Sprintf(",size=%d", step.size)
	}
	if step.inodes > 0 {
		data += fmt.Sprintf(",nr_inodes=%d", step.inodes)
	}
	return data
}

func mountKernel(kind, path string, more uintptr, data string) error {
	if err := ensureFolder(path, 0o755); err != nil {
		return err
	}
	return unix.Mount(kind, path, kind, unix.MS_NOSUID|unix.MS_NOEXEC|more, data)
}

// bind mounts all that is below the source, too, with the same attributes.
func (b builder) bind(step step, attributes uint64) error {
	source, err := b.open(step.source)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	path := b.to + step.path
	if info.IsDir() {
		err = ensureFolder(path, 0o755)
	} else {
		err = ensureFile(path)
	}
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s/proc/self/fd/%d", b.from, source.Fd())
	if err := unix.Mount(name, path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return setAttributes(path, attributes, unix.AT_RECURSIVE)
}

const mostTries = 1000

// open follows links as they are meant, from the root that the sources have (openat2(2)).
func (b builder) open(source string) (*os.File, error) {
	root, err := unix.Open(b.from+"/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
	descriptor, err := unix.Openat2(root, source, &how)
	// A link with dots, while something is renamed or mounted anywhere on the machine: try again (openat2(2)).
	for tries := 0; err == unix.EAGAIN && tries < mostTries; tries++ {
		descriptor, err = unix.Openat2(root, source, &how)
	}
	if err == unix.ENOENT {
		return nil, fmt.Errorf("%s: %w", source, errNoSource)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return os.NewFile(uintptr(descriptor), source), nil
}

func setAttributes(path string, attributes uint64, flags uint) error {
	err := unix.MountSetattr(unix.AT_FDCWD, path, flags, &unix.MountAttr{Attr_set: attributes})
	if err == unix.ENOSYS {
		return errors.New("the kernel has no mount_setattr; expected Linux 5.12 or newer")
	}
	return err
}

// ensureFolder: the permissions are those of the last one, if it is new.
func ensureFolder(path string, perms os.FileMode) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	// Mkdir obeys umask(2).
	return unix.Chmod(path, uint32(perms))
}

func ensureFile(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return err
	}
	return file.Close()
}

func link(target, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.Symlink(target, path)
}
