package recogniser

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"bordergate/biometrics"
	"bordergate/configs"
)

func shipped(t *testing.T) *configs.Models {
	t.Helper()
	m, err := configs.LoadModels("../../configs/models.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestShippedRecogniser(t *testing.T) {
	r, err := Open(shipped(t), "nowhere")
	if err != nil {
		t.Fatal(err)
	}
	if r.ID != "fr_feature@87aacdfe5751" || r.Dim != 512 || r.Size() != 160 || r.ProbeRules().MinNorm != 3 || r.EnrolRules().MinNorm != 3.2 {
		t.Errorf("recogniser %+v", r)
	}
	for frames, want := range map[int]float64{1: 0.411, 2: 0.43, 3: 0.43, 5: 0.43} {
		if got, ok := r.Limits.At(1e-4, frames); !ok || got != want {
			t.Errorf("%d frames at 1e-4: %v, want %v", frames, got, want)
		}
	}
}

// second puts a recogniser of 32 values, kept as 16, into use.
func second(t *testing.T, m *configs.Models) (dir string, basis []byte) {
	t.Helper()
	for i := range 32 * 16 {
		v := float32(0)
		if i/16 == i%16 {
			v = 1
		}
		basis = binary.LittleEndian.AppendUint32(basis, math.Float32bits(v))
	}
	dir = t.TempDir()
	sum := sha256.Sum256(basis)
	if err := os.WriteFile(filepath.Join(dir, "b.bin"), basis, 0o600); err != nil {
		t.Fatal(err)
	}
	f, _ := m.ByUse(configs.UseFeature)
	f.Name, f.Recognise.Dimension, f.Recognise.Reference = "second", 32, configs.ReferenceForm{Size: 16, Basis: "b"}
	f.Recognise.Norm = configs.NormLimits{}
	m.Models = append(m.Models, f, configs.Model{
		Name: "b", Use: configs.UseBasis, File: "b.bin", Bytes: int64(len(basis)), SHA256: hex.EncodeToString(sum[:]),
	})
	m.Recogniser = "second"
	return dir, basis
}

func TestSecondRecogniserWithItsProjection(t *testing.T) {
	m := shipped(t)
	dir, basis := second(t, m)
	r, err := Open(m, dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.Dim != 32 || r.Size() != 16 || r.Norm != (biometrics.NormLimits{}) || r.ID == "second@87aacdfe5751" {
		t.Errorf("recogniser %+v", r)
	}
	basis[0] ^= 1
	if err := os.WriteFile(filepath.Join(dir, "b.bin"), basis, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(m, dir); !errors.Is(err, biometrics.ErrBasis) {
		t.Errorf("another projection: %v", err)
	}
	if _, err := Open(m, t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no projection: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, change := range map[string]func(*configs.Models){
		"none in use": func(m *configs.Models) { m.Recogniser = "" },
		"misfit": func(m *configs.Models) {
			for i := range m.Models {
				m.Models[i].Recognise.Dimension = 128
			}
		},
		"thresholds fall": func(m *configs.Models) {
			for i := range m.Models {
				m.Models[i].Recognise.Thresholds.Accept = nil
			}
		},
	} {
		m := shipped(t)
		change(m)
		if r, err := Open(m, ""); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
