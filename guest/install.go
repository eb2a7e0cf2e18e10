package main

import (
	"io"
	"os"
	"path/filepath"
)

// install puts a copy of this program where another container finds it: there is no cp in an image that has nothing else.
func install(args []string) (int, error) {
	if len(args) != 1 {
		return exitUsage, usageError("install wants one path")
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return exitFailed, err
	}
	defer self.Close()
	// Under its own name only when it is whole.
	copy, err := os.CreateTemp(filepath.Dir(args[0]), ".agent-")
	if err != nil {
		return exitFailed, err
	}
	defer os.Remove(copy.Name())
	if _, err = io.Copy(copy, self); err == nil {
		err = copy.Chmod(0o755)
	}
	if closing := copy.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(copy.Name(), args[0])
	}
	if err != nil {
		return exitFailed, err
	}
	return 0, nil
}
