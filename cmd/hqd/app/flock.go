package app

import (
	"os"

	"golang.org/x/sys/unix"
)

// flock takes the file for this process; the kernel gives it back at the
// process's end, however it ends.
func flock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
