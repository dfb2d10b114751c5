package main

import (
	"archive/tar"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"bordergate/cmd/gatesim/enrol"
)

func TestEverySecretIsFound(t *testing.T) {
	ref := make([]byte, 160)
	for i := range ref {
		ref[i] = byte(i * 7)
	}
	x := &production{roles: []role{{account: "SIM000001", number: "X0000001", holder: enrol.Enrolled{Reference: ref}}}}
	all := x.secrets()
	for _, s := range all {
		files := map[string][]byte{"clean": []byte("nothing here"), "dirty": slices.Concat([]byte("a line with "), s.text, []byte(" in it"))}
		if got := found(files, all); len(got) == 0 || got[0] != "dirty holds "+s.what+" of a traveller" {
			t.Errorf("%s: %v", s.what, got)
		}
	}
	if got := found(map[string][]byte{"clean": []byte("outcome=admitted score=0.7")}, all); got != nil {
		t.Errorf("found in nothing: %v", got)
	}
}

func TestBundleIsUnpacked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.tar.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "log", Size: 5, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("lines")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []interface{ Close() error }{w, z, f} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string][]byte{}
	if err := bundled(path, files); err != nil || string(files["b.tar.gz/log"]) != "lines" {
		t.Fatalf("%v, %v", files, err)
	}
	if err := bundled(filepath.Join(t.TempDir(), "none"), files); err == nil {
		t.Error("a bundle that is not there is no error")
	}
}
