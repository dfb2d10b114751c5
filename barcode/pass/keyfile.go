package pass

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrTemplateKeyExposed is returned for a key file that others on the machine
// can read, and with it the faces in every pass sealed under its keys.
var ErrTemplateKeyExposed = errors.New("others on this machine can read the template keys")

// maxKeyFile bounds a key file, bytes.
const maxKeyFile = 64 << 10

// LoadTemplateKeys reads the key file that a gate or an office holds. It must
// be its owner's alone.
func LoadTemplateKeys(file string) (TemplateKeys, error) {
	f, err := os.Open(file)
	if err != nil {
		return TemplateKeys{}, fmt.Errorf("load template keys: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return TemplateKeys{}, fmt.Errorf("load template keys: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return TemplateKeys{}, fmt.Errorf("load template keys %s: %w: chmod 600 it", file, ErrTemplateKeyExposed)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return TemplateKeys{}, fmt.Errorf("load template keys: %w", err)
	}
	if len(b) > maxKeyFile {
		return TemplateKeys{}, fmt.Errorf("load template keys %s: %w: longer than %d KiB", file, ErrTemplateKey, maxKeyFile>>10)
	}
	ks, err := ParseTemplateKeys(b)
	clear(b)
	if err != nil {
		return TemplateKeys{}, fmt.Errorf("load template keys %s: %w (make one with: gatectl pass template-key)", file, err)
	}
	return ks, nil
}
