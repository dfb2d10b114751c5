package pass

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadTemplateKeys(t *testing.T) {
	old, now := NewTemplateKey(), NewTemplateKey()
	dir := t.TempDir()
	put := func(name string, mode fs.FileMode, b []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, b, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		return file
	}
	both := append(now.PEM(), old.PEM()...)
	ks, err := LoadTemplateKeys(put("good", 0o600, both))
	if first, _ := ks.First(); err != nil || ks.Len() != 2 || first.ID() != now.ID() {
		t.Fatalf("%d keys, %v", ks.Len(), err)
	}
	for _, c := range []struct {
		name string
		mode fs.FileMode
		b    []byte
		want error
	}{
		{"group", 0o640, both, ErrTemplateKeyExposed},
		{"world", 0o604, both, ErrTemplateKeyExposed},
		{"empty", 0o600, nil, ErrTemplateKey},
		{"twice", 0o600, append(now.PEM(), now.PEM()...), ErrTemplateKey},
		{"huge", 0o600, make([]byte, maxKeyFile+1), ErrTemplateKey},
	} {
		if _, err := LoadTemplateKeys(put(c.name, c.mode, c.b)); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.name) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := LoadTemplateKeys(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := LoadTemplateKeys(dir); !errors.Is(err, ErrTemplateKeyExposed) {
		t.Errorf("folder: %v", err)
	}
}
