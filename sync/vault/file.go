package vault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A key file is its header (magic, class, day) and the key sealed under the
// master with the header as additional data.
const (
	keyMagic  = "BGK1"
	headerLen = len(keyMagic) + 1 + 4
	keyLen    = headerLen + KeySize + Overhead
	keyExt    = ".key"
	goneExt   = ".gone"
)

func (v *Vault) keyPath(s slot) string  { return filepath.Join(v.dir, s.name()+keyExt) }
func (v *Vault) gonePath(s slot) string { return filepath.Join(v.dir, s.name()+goneExt) }

func (s slot) name() string { return fmt.Sprintf("c%d-%d", s.class, s.day) }

func parseSlot(name string) (slot, bool) {
	var s slot
	if n, err := fmt.Sscanf(name, "c%d-%d", &s.class, &s.day); n != 2 || err != nil || s.name() != name {
		return slot{}, false
	}
	return s, true
}

func (s slot) header() []byte {
	b := append(make([]byte, 0, keyLen), keyMagic...)
	b = append(b, s.class)
	return binary.BigEndian.AppendUint32(b, s.day)
}

func (v *Vault) wrapKey(s slot, raw []byte) []byte {
	h := s.header()
	return append(h, v.wrap.Seal(nil, nil, raw, h)...)
}

// parseKeyFile checks a key file's form and gives the sealed key in it.
func parseKeyFile(s slot, b []byte) ([]byte, error) {
	if len(b) != keyLen || string(b[:headerLen]) != string(s.header()) {
		return nil, fmt.Errorf("%w: key file has a wrong form", ErrOpen)
	}
	return b[headerLen:], nil
}

// load reads and unwraps the day's key.
func (v *Vault) load(s slot) (*DayKey, error) {
	if _, err := os.Lstat(v.gonePath(s)); err == nil {
		return nil, ErrDestroyed
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for tombstone: %w", err)
	}
	b, err := os.ReadFile(v.keyPath(s))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoKey
	}
	if err != nil {
		return nil, fmt.Errorf("read day key: %w", err)
	}
	sealed, err := parseKeyFile(s, b)
	if err != nil {
		return nil, fmt.Errorf("read day key: %w", err)
	}
	raw, err := v.wrap.Open(nil, nil, sealed, s.header())
	if err != nil {
		return nil, fmt.Errorf("unwrap day key: %w", ErrOpen)
	}
	return newDayKey(s.class, s.day, raw)
}

// CreateFile makes path with content b, whole or not at all, durable before it
// returns. An existing file is never replaced: fs.ErrExist.
func CreateFile(path string, b []byte) error { return putFile(path, b, unix.RENAME_NOREPLACE) }

// ReplaceFile is CreateFile for what may be there already.
func ReplaceFile(path string, b []byte) error { return putFile(path, b, 0) }

func putFile(path string, b []byte, flags uint) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	tmp := f.Name()
	defer os.Remove(tmp) // gone already where all went well
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	err = unix.Renameat2(unix.AT_FDCWD, tmp, unix.AT_FDCWD, path, flags)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: tmp, New: path, Err: err}
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// private refuses a file or folder that anybody but its owner can touch.
func private(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if p := st.Mode().Perm(); p&0o077 != 0 {
		return fmt.Errorf("%w: %s is %#o; use chmod go= on it", ErrPermissions, path, p)
	}
	return nil
}
