//go:build cgo

package vision

import (
	"bufio"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func openTest(tb testing.TB) *Pipeline {
	tb.Helper()
	p, err := OpenPipeline(models(tb), Options{Threads: 1})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = p.Close() })
	return p
}

// analyse runs the whole pipeline on the face nearest the middle.
func analyse(tb testing.TB, p *Pipeline, path string) (Face, int) {
	tb.Helper()
	f, err := ReadImage(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	d, err := p.Detect(f)
	if err != nil {
		tb.Fatal(err)
	}
	w, h := f.Size()
	i := NearestCentre(d, w, h)
	if i < 0 {
		tb.Fatalf("%s: no face", filepath.Base(path))
	}
	face, err := p.Analyse(f, d[i], Want{Embed: Always, Live: Always})
	if err != nil {
		tb.Fatal(err)
	}
	return face, len(d)
}

// TestExpectedEmbeddings holds the pipeline to the values of an independent implementation.
func TestExpectedEmbeddings(t *testing.T) {
	list, err := os.Open(dataPath(t, "faces", "expected_embeddings.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	p := openTest(t)
	sc := bufio.NewScanner(list)
	sc.Buffer(nil, 1<<20)
	n := 0
	for sc.Scan() {
		fields := strings.Fields(sc.Text())
		if len(fields) != 512+1 {
			t.Fatalf("line with %d fields", len(fields))
		}
		n++
		name := fields[0]
		face, _ := analyse(t, p, dataPath(t, "faces", "lfw", name[:strings.LastIndex(name, "_")], name))
		var dot, len2 float64
		for i, s := range fields[1:] {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(err)
			}
			dot += v * float64(face.Raw[i])
			len2 += v * v
		}
		cos := dot / math.Sqrt(len2) / norm(face.Raw)
		t.Logf("%s cosine %.7f norm %.2f", name, cos, face.Quality.Norm)
		if cos < 0.9999 {
			t.Errorf("%s: cosine %.6f, want at least 0.9999", name, cos)
		}
	}
	if n != 19 {
		t.Errorf("%d photographs, want 19", n)
	}
}

func TestLivenessOfSamples(t *testing.T) {
	p := openTest(t)
	for file, live := range map[string]bool{"live/image_T1.jpg": true, "attack/image_F1.jpg": false, "attack/image_F2.jpg": false} {
		face, _ := analyse(t, p, dataPath(t, "pad", filepath.FromSlash(file)))
		z := (face.Live.MS27+face.Live.SQ15)/2 - float64(min(face.Live.Lines, 12))
		t.Logf("%s: %+v z %.2f timing %+v quality %+v", file, *face.Live, z, p.Timing(), face.Quality)
		if (z > -4) != live {
			t.Errorf("%s: value %.2f, live should be %v", file, z, live)
		}
	}
}

func TestModelRefused(t *testing.T) {
	good := models(t)
	dir := t.TempDir()
	b, err := os.ReadFile(good[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	bad := filepath.Join(dir, "bad.onnx")
	if err := os.WriteFile(bad, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Model){
		"tampered":    func(m *Model) { m.Path = bad },
		"missing":     func(m *Model) { m.Path = filepath.Join(dir, "none") },
		"no hash":     func(m *Model) { m.SHA256 = "" },
		"other name":  func(m *Model) { m.Name = "pose" },
		"a directory": func(m *Model) { m.Path = dir },
	} {
		t.Run(name, func(t *testing.T) {
			ms := slices.Clone(good)
			change(&ms[0])
			p, err := OpenPipeline(ms, Options{})
			if !errors.Is(err, ErrModel) {
				t.Errorf("got %v, %v; want ErrModel", p, err)
			}
		})
	}
}

func TestPictureRefused(t *testing.T) {
	for name, b := range map[string][]byte{"empty": nil, "text": []byte("not a picture"), "cut jpeg": {0xff, 0xd8, 0xff, 0xe0, 0, 16}} {
		if f, err := DecodeImage(b); !errors.Is(err, ErrImage) {
			t.Errorf("%s: got %v, %v; want ErrImage", name, f, err)
		}
	}
}
