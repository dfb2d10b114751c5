package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrModelMissing means that a file of the manifest is not in its folder.
var ErrModelMissing = errors.New("model file is missing")

// ErrModelHash means that a file is not the one its manifest names, and must
// not be used.
var ErrModelHash = errors.New("model file is not the one in the manifest")

// Check demands that every file of the given uses (all that the gate works
// with, so neither demonstration files nor a recogniser that is not in use,
// when none is given) lies in dir with the hash of the
// manifest. The error joins all that do not, each with its cure.
func (m *Models) Check(dir string, uses ...string) error {
	if len(uses) == 0 {
		uses = []string{UseDetect, UseLandmark, UseFeature, UseLiveness, UseBasis}
	}
	var errs []error
	for _, f := range m.Models {
		if slices.Contains(uses, f.Use) && m.needed(f) {
			errs = append(errs, f.Check(dir))
		}
	}
	return errors.Join(errs...)
}

// Path returns where the file lies when its folder is dir.
func (f Model) Path(dir string) string { return filepath.Join(dir, filepath.FromSlash(f.File)) }

// Check demands that the file lies in dir with the hash of its manifest.
func (f Model) Check(dir string) error {
	path := f.Path(dir)
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("check model %s: %w: %s (run \"make models\" or \"gatectl models fetch\")", f.Name, ErrModelMissing, path)
	}
	if err != nil {
		return fmt.Errorf("check model %s: %w", f.Name, err)
	}
	defer file.Close()
	sum := sha256.New()
	// One byte more than the manifest's size is enough to know that it differs.
	if _, err := io.Copy(sum, io.LimitReader(file, f.Bytes+1)); err != nil {
		return fmt.Errorf("check model %s: read %s: %w", f.Name, path, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, f.SHA256) {
		return fmt.Errorf("check model %s: %w: %s has SHA-256 %s, the manifest has %s "+
			"(remove the file and run \"make models\"; a station that brings its own model names it in its own manifest)",
			f.Name, ErrModelHash, path, got, f.SHA256)
	}
	return nil
}
