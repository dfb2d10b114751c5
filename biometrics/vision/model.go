package vision

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
)

// maxModel bounds a model file in bytes.
const maxModel = 256 << 20

// readModel reads a model and compares its SHA-256. What it returns is what was compared.
func readModel(m Model) ([]byte, error) {
	st, err := os.Stat(m.Path)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w: run \"make models\"", ErrModel, m.Name, err)
	}
	if !st.Mode().IsRegular() || st.Size() > maxModel {
		return nil, fmt.Errorf("%w: %s: not a file of at most %d bytes", ErrModel, m.Name, maxModel)
	}
	b, err := os.ReadFile(m.Path)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrModel, m.Name, err)
	}
	sum := sha256.Sum256(b)
	got, want := hex.EncodeToString(sum[:]), strings.ToLower(m.SHA256)
	if len(want) != len(got) || subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return nil, fmt.Errorf("%w: %s: SHA-256 is %s, the manifest has %q: run \"make models\", or correct the manifest", ErrModel, m.Name, got, m.SHA256)
	}
	return b, nil
}
