package issue

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"bordergate/barcode/pass"
)

// TemplateKeys is the file of the keys that a gate opens templates with: the
// office's own, and an older one that no pass is sealed under.
func (o *Office) TemplateKeys() string { return filepath.Join(o.dir, "template.keys") }

// openTemplateKey takes the kept keys, or makes them.
func (o *Office) openTemplateKey() error {
	ks, err := pass.LoadTemplateKeys(o.TemplateKeys())
	if errors.Is(err, fs.ErrNotExist) {
		k, older := pass.NewTemplateKey(), pass.NewTemplateKey()
		if err := os.WriteFile(o.TemplateKeys(), append(k.PEM(), older.PEM()...), 0o600); err != nil {
			return fmt.Errorf("keep template keys: %w", err)
		}
		o.key = k
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKept, err)
	}
	o.key, _ = ks.First()
	return nil
}
