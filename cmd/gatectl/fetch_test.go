package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bordergate/configs"
)

// member is one entry of a made-up tarball.
type member struct {
	name string
	kind byte
	body string
}

func tarball(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	for _, m := range members {
		head := &tar.Header{Name: m.name, Typeflag: m.kind, Mode: 0o644, Size: int64(len(m.body))}
		if m.kind == tar.TypeSymlink {
			head.Linkname, head.Size = m.body, 0
		}
		if err := w.WriteHeader(head); err != nil {
			t.Fatal(err)
		}
		if m.kind == tar.TypeReg {
			if _, err := w.Write([]byte(m.body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func wantModel(name, body string) configs.Model {
	sum := sha256.Sum256([]byte(body))
	return configs.Model{
		Name: name, Use: configs.UseFeature, File: name + ".onnx", Source: "s", Member: "package/" + name,
		Bytes: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), Licence: "MIT",
	}
}

func TestUnpackKeepsOnlyWhatTheManifestNames(t *testing.T) {
	a := wantModel("a", "the model")
	a.File = "deep/a.onnx"
	for name, c := range map[string]struct {
		members []member
		wrong   string
	}{
		"right":            {[]member{{"package/x", tar.TypeReg, "other"}, {"package/a", tar.TypeReg, "the model"}}, ""},
		"escaping names":   {[]member{{"../../a.onnx", tar.TypeReg, "evil"}, {"/etc/a", tar.TypeReg, "evil"}, {"package/a", tar.TypeReg, "the model"}}, ""},
		"another hash":     {[]member{{"package/a", tar.TypeReg, "The model"}}, "SHA-256"},
		"longer":           {[]member{{"package/a", tar.TypeReg, "the model and more"}}, "SHA-256"},
		"a link":           {[]member{{"package/a", tar.TypeSymlink, "/etc/passwd"}}, "not in it"},
		"absent":           {[]member{{"package/b", tar.TypeReg, "the model"}}, "not in it"},
		"wrong then right": {[]member{{"package/a", tar.TypeReg, "wrong"}, {"package/a", tar.TypeReg, "the model"}}, "SHA-256"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			err = unpackFrom(bytes.NewReader(tarball(t, c.members...)), root, map[string]configs.Model{a.Member: a})
			if c.wrong == "" {
				if err := errors.Join(err, a.Check(dir)); err != nil {
					t.Fatal(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Fatalf("error %v, want one saying %q", err, c.wrong)
			}
			onlyFile(t, dir, "deep/a.onnx", c.wrong == "")
		})
	}
}

// onlyFile demands that dir holds the one file, or nothing at all.
func onlyFile(t *testing.T, dir, name string, there bool) {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{filepath.Join(dir, name)}; there && (len(found) != 1 || found[0] != want[0]) || !there && len(found) != 0 {
		t.Errorf("folder holds %v", found)
	}
}

// A link that somebody put into the models folder must not lead out of it.
func TestUnpackStaysBelowItsFolder(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "deep")); err != nil {
		t.Fatal(err)
	}
	a := wantModel("a", "the model")
	a.File = "deep/a.onnx"
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ball := tarball(t, member{"package/a", tar.TypeReg, "the model"})
	if err := unpackFrom(bytes.NewReader(ball), root, map[string]configs.Model{a.Member: a}); err == nil {
		t.Fatal("unpacked through a link that leads out of the folder")
	}
	onlyFile(t, outside, "", false)
}

func FuzzUnpack(f *testing.F) {
	a := wantModel("a", "the model")
	ball := tarball(f, member{"package/a", tar.TypeReg, "the model"})
	f.Add(ball)
	f.Add(ball[:len(ball)/2])
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if unpackFrom(bytes.NewReader(text), root, map[string]configs.Model{a.Member: a}) == nil {
			if err := a.Check(dir); err != nil {
				t.Fatalf("unpacked without an error: %v", err)
			}
		}
	})
}

// station is a made-up registry and manifest: npm is a script that hands out
// one tarball and counts its calls.
type station struct{ manifest, dir, calls string }

func newStation(t *testing.T, ball, served []byte) station {
	t.Helper()
	work := t.TempDir()
	s := station{filepath.Join(work, "models.yaml"), filepath.Join(work, "models"), filepath.Join(work, "calls")}
	sum := sha512.Sum512(ball)
	var text strings.Builder
	fmt.Fprintf(&text, "version: 1\nsources:\n  - {name: s, npm: some-models@1.0.0, bytes: %d, integrity: \"sha512-%s\", licence: MIT}\nmodels:\n",
		len(ball), base64.StdEncoding.EncodeToString(sum[:]))
	for _, use := range []string{"detect", "landmark", "feature", "liveness"} {
		m := wantModel(use, "model "+use)
		fmt.Fprintf(&text, "  - {name: %s, use: %s, file: %s, source: s, member: %s, bytes: %d, sha256: %s, licence: MIT,\n"+
			"     input: {width: 64, height: 64, colour: bgr, scale: 1}, recognise: {dimension: 16, reference: {size: 16},\n"+
			"     align: [[20, 20], [44, 20], [32, 34], [24, 48], [40, 48]], thresholds: {reject: 0.34, too_good: 0.97,\n"+
			"     accept: [{frames: 1, fmr: 1e-4, score: 0.4}, {frames: 3, fmr: 1e-4, score: 0.4}]}}}\n", use, use, m.File, m.Member, m.Bytes, m.SHA256)
	}
	text.WriteString("recogniser: feature\n")
	putText(t, s.manifest, text.String())
	putText(t, filepath.Join(work, "served"), string(served))
	bin := filepath.Join(work, "bin")
	script := "#!/bin/sh\necho \"$*\" >>" + s.calls + "\nwhile [ $# -gt 0 ]; do [ \"$1\" = --pack-destination ] && to=$2; shift; done\n" +
		"[ -s " + work + "/served ] || { echo 'npm error code ENOTFOUND' >&2; exit 1; }\ncp " + work + "/served \"$to/some-models-1.0.0.tgz\"\n"
	putText(t, filepath.Join(bin, "npm"), script)
	if err := os.Chmod(filepath.Join(bin, "npm"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	return s
}

func putText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s station) fetch(t *testing.T, more ...string) outcome {
	t.Helper()
	return gatectl(t, append([]string{"models", "fetch", "--manifest", s.manifest, "--dir", s.dir}, more...)...)
}

func (s station) count(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(s.calls)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}

func fourModels(t *testing.T) []byte {
	t.Helper()
	var members []member
	for _, use := range []string{"detect", "landmark", "feature", "liveness"} {
		members = append(members, member{"package/" + use, tar.TypeReg, "model " + use})
	}
	return tarball(t, members...)
}

func TestFetchOnceThenOffline(t *testing.T) {
	ball := fourModels(t)
	s := newStation(t, ball, ball)
	if got := s.fetch(t); got.status != exitDone || strings.Count(got.out, `"fetched":true`) != 4 {
		t.Fatalf("first fetch: %+v", got)
	}
	if got := s.fetch(t); got.status != exitDone || s.count(t) != 1 {
		t.Fatalf("second fetch: %+v, npm called %d times", got, s.count(t))
	}
}

func TestFetchRefusesATamperedModel(t *testing.T) {
	ball := fourModels(t)
	s := newStation(t, ball, ball)
	path := filepath.Join(s.dir, "feature.onnx")
	putText(t, path, "model of somebody else")
	got := s.fetch(t)
	for _, say := range []string{path, "SHA-256", "--replace"} {
		if got.status != exitUnable || s.count(t) != 0 || !strings.Contains(got.err, say) {
			t.Fatalf("got %+v, want a refusal naming %q", got, say)
		}
	}
	if got := s.fetch(t, "--replace"); got.status != exitDone {
		t.Fatalf("with --replace: %+v", got)
	}
}

func TestFetchRefusesAStranger(t *testing.T) {
	ball := fourModels(t)
	s := newStation(t, ball, ball)
	stranger := filepath.Join(s.dir, "extra", "own.onnx")
	putText(t, stranger, "own")
	got := s.fetch(t)
	sum := sha256.Sum256([]byte("own"))
	for _, say := range []string{stranger, hex.EncodeToString(sum[:]), "--manifest"} {
		if got.status != exitUnable || !strings.Contains(got.err, say) {
			t.Fatalf("got %+v, want a refusal naming %q", got, say)
		}
	}
}

func TestFetchNamesTheCureWhenTheRegistryFails(t *testing.T) {
	ball := fourModels(t)
	for name, c := range map[string]struct {
		served []byte
		say    string
	}{
		"another tarball":    {append(bytes.Clone(ball), 0), "not the one in the manifest"},
		"registry is absent": {nil, "ENOTFOUND"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation(t, ball, c.served)
			if got := s.fetch(t); got.status != exitUnable || !strings.Contains(got.err, c.say) {
				t.Fatalf("got %+v, want an error saying %q", got, c.say)
			}
			onlyFile(t, filepath.Dir(s.manifest)+"/bin", "npm", true)
			if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a folder was made for nothing: %v", err)
			}
		})
	}
	t.Run("no npm", func(t *testing.T) {
		s := newStation(t, ball, ball)
		t.Setenv("PATH", t.TempDir())
		if got := s.fetch(t); got.status != exitUnable || !strings.Contains(got.err, "apt-get install npm") {
			t.Fatalf("got %+v", got)
		}
	})
}

func TestModelsCheckSaysWhatIsMissing(t *testing.T) {
	ball := fourModels(t)
	s := newStation(t, ball, ball)
	check := func() outcome {
		return gatectl(t, "models", "check", "--manifest", s.manifest, "--dir", s.dir)
	}
	if got := check(); got.status != exitNegative || strings.Count(got.out, `"ok":false`) != 4 {
		t.Errorf("nothing there: %+v", got)
	}
	s.fetch(t)
	if got := check(); got.status != exitDone || strings.Count(got.out, `"ok":true`) != 4 {
		t.Errorf("all there: %+v", got)
	}
}

func TestBarPrintsPlainLinesElsewhere(t *testing.T) {
	var b bytes.Buffer
	bar := newBar(&b, "x", 100)
	for n := range int64(120) {
		bar.at(n)
	}
	bar.end(true)
	if got := strings.Count(b.String(), "\n"); got != 5 || strings.Contains(b.String(), "\r") {
		t.Errorf("printed %q", b.String())
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	w := &tail{most: 4}
	for _, s := range []string{"abc", "defgh", "ij"} {
		if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", s, n, err)
		}
	}
	if w.String() != "ghij" {
		t.Errorf("kept %q", w.String())
	}
}
