// Package recogniser makes of a model manifest the recogniser that faces are compared with: one place, so that an issuing office, a
// gate and a simulator cannot read the same manifest differently.
//
// Guarantees:
//   - What the manifest does not say completely is refused, naming the model.
//   - A projection's file is used only with the SHA-256 of the manifest, and becomes part of the recogniser's id: references made
//     with two projections of one model do not compare.
package recogniser

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"bordergate/biometrics"
	"bordergate/configs"
)

// ErrNone is returned for a manifest without a recogniser in use.
var ErrNone = errors.New("the manifest names no recogniser")

// Open returns the recogniser in use; dir is the folder of the models. Without a projection's file of its own nothing is read.
func Open(m *configs.Models, dir string) (*biometrics.Recogniser, error) {
	f, ok := m.ByUse(configs.UseFeature)
	if !ok {
		return nil, fmt.Errorf("use recogniser: %w", ErrNone)
	}
	r := &biometrics.Recogniser{
		ID: biometrics.ModelID(f.Name, f.SHA256), Dim: f.Recognise.Dimension, Limits: thresholds(f.Recognise.Thresholds),
		Norm: biometrics.NormLimits(f.Recognise.Norm),
	}
	var err error
	if file, ok := m.Basis(f); ok {
		r.ID = biometrics.ModelID(f.Name, joined(f.SHA256, file.SHA256))
		r.Basis, err = openBasis(file, dir, f.Recognise)
	} else if f.Recognise.Reference.Basis == configs.BasisBuiltin {
		r.Basis, err = biometrics.DefaultBasis()
	}
	if err == nil {
		err = r.Validate()
	}
	if err == nil && r.Size() != f.Recognise.Reference.Size {
		err = fmt.Errorf("references of %d bytes, the manifest says %d", r.Size(), f.Recognise.Reference.Size)
	}
	if err != nil {
		return nil, fmt.Errorf("use recogniser %s: %w", f.Name, err)
	}
	return r, nil
}

// joined is the hash of a model with its projection.
func joined(model, basis string) string {
	sum := sha256.Sum256([]byte(model + " " + basis))
	return hex.EncodeToString(sum[:])
}

// openBasis reads a projection; ParseBasis holds what was read to its size and hash.
func openBasis(file configs.Model, dir string, r configs.Recognise) (*biometrics.Basis, error) {
	f, err := os.Open(file.Path(dir))
	if err != nil {
		return nil, fmt.Errorf("read projection: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, file.Bytes+1))
	if err != nil {
		return nil, fmt.Errorf("read projection: %w", err)
	}
	return biometrics.ParseBasis(b, r.Dimension, r.Reference.Size, file.SHA256)
}

// thresholds sorts the manifest's scores into the rows of one frame and of several.
func thresholds(l configs.ScoreLimits) biometrics.Thresholds {
	t := biometrics.Thresholds{Reject: l.Reject, TooGood: l.TooGood}
	for _, a := range l.Accept {
		p := biometrics.Point{FMR: a.FMR, Accept: a.Score}
		if a.Frames == 1 {
			t.Single = append(t.Single, p)
		} else {
			t.Fused = append(t.Fused, p)
		}
	}
	return t
}
