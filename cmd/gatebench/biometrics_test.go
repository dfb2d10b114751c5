package main

import (
	"bufio"
	"bytes"
	"errors"
	"image"
	"image/color"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// saying is a reader that answers every picture with the same line.
func saying(line string, to io.Writer) *reader {
	return &reader{name: "peer", in: nopCloser{to}, out: bufio.NewReader(strings.NewReader(strings.Repeat(line+"\n", 4)))}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func TestLook(t *testing.T) {
	var sent bytes.Buffer
	r := saying(`{"found":2,"box":[1,2,3,4],"vector":[0.6,0.8],"live":[1,2,3],"micros":{"detect":5000,"frame":9000}}`, &sent)
	s, err := r.look(picture{2, 1, []byte{1, 2, 3, 4, 5, 6}}, faceLive)
	if err != nil {
		t.Fatal(err)
	}
	if want := "\x02\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04\x05\x06"; sent.String() != want {
		t.Errorf("sent %q", sent.String())
	}
	if m := s.millis(); s.Found != 2 || len(s.Vector) != 2 || m[stageDetect] != 5 || m[stageFrame] != 9 {
		t.Errorf("heard %+v", s)
	}
	if s, err := saying(`{"found":1}`, io.Discard).look(picture{}, 0); err != nil || s.Found != 0 {
		t.Errorf("a face without a vector: %+v, %v", s, err)
	}
	if _, err := saying("no", io.Discard).look(picture{}, 0); err == nil {
		t.Error("a line that is no answer was taken")
	}
}

// TestAgree holds that a peer which does other work is not timed.
func TestAgree(t *testing.T) {
	good := seen{Found: 1, Box: [4]float64{10, 10, 90, 90}, Vector: []float64{3, 4}, Live: [3]float64{1, 2, 3}}
	if err := agree(good, good); err != nil {
		t.Error(err)
	}
	if err := agree(seen{}, seen{}); err != nil {
		t.Errorf("nobody on both sides: %v", err)
	}
	for name, change := range map[string]func(*seen){
		"more faces":     func(s *seen) { s.Found = 2 },
		"another box":    func(s *seen) { s.Box[2] = 80 },
		"another vector": func(s *seen) { s.Vector = []float64{4, 3} },
		"no vector":      func(s *seen) { s.Vector = nil },
		"other liveness": func(s *seen) { s.Live[1] = 3 },
		"more lines":     func(s *seen) { s.Live[2] = 4 },
	} {
		other := good
		change(&other)
		if err := agree(good, other); !errors.Is(err, errPeer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBothTakesTurns(t *testing.T) {
	line := `{"found":0,"micros":{"frame":1}}`
	var order []string
	note := func(name string) io.Writer { return noting{name, &order} }
	ours, peer := saying(line, note("ours")), saying(line, note("peer"))
	for n := range 2 {
		if _, _, err := both(ours, peer, picture{}, n%2 == 0); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(order, " "); got != "ours peer peer ours" {
		t.Errorf("order %s", got)
	}
}

type noting struct {
	name string
	list *[]string
}

func (n noting) Write(b []byte) (int, error) {
	if len(b) > 0 {
		*n.list = append(*n.list, n.name)
	}
	return len(b), nil
}

func TestStageRows(t *testing.T) {
	rows := stageRows([]timed{
		{stage: "detect", threads: 1, ours: []float64{10.9, 10.9}, peer: []float64{10, 10}},
		{stage: "detect", threads: 2, ours: []float64{11.1, 11.1}, peer: []float64{10, 10}},
	})
	if len(rows) != 6 || !rows[2].OK || rows[5].OK || rows[5].Goal != "<= 1.10" || rows[0].PeerValue != 10 {
		t.Errorf("rows %+v", rows)
	}
}

func TestWindow(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 3, 2))
	img.Set(2, 1, color.RGBA{R: 1, G: 2, B: 3, A: 255})
	p := pictureOf(img)
	if p.w != 3 || p.h != 2 || !bytes.Equal(p.bgr[15:], []byte{3, 2, 1}) {
		t.Fatalf("pixels %v", p.bgr)
	}
	if w := p.window(1, 1, 2, 1); w.w != 2 || w.h != 1 || !bytes.Equal(w.bgr, p.bgr[12:]) {
		t.Errorf("window %v", w)
	}
}

// pairsFolder writes a list of pairs.
func pairsFolder(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pairs.txt"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLabelledPairs(t *testing.T) {
	dir := pairsFolder(t, "a/1.jpg a/2.jpg 1\na/1.jpg b/1.jpg 0\nb/1.jpg b/2.jpg 1\nc/1.jpg c/2.jpg 1\n")
	o := faceOptions{data: dir, seed: 1, photographs: 3}
	s, err := labelledPairs(o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := labelledPairs(o)
	if err != nil || strings.Join(s.names, " ") != strings.Join(again.names, " ") {
		t.Errorf("%v and then %v, %v", s.names, again.names, err)
	}
	if len(s.names) != 4 || len(s.genuine) != 2 {
		t.Errorf("photographs %v, pairs %v: whole people, until there are enough", s.names, s.genuine)
	}
	for name, text := range map[string]string{"a way out": "../x/1.jpg ../x/2.jpg 1\n", "nobody twice": "a/1.jpg b/1.jpg 0\n"} {
		if _, err := labelledPairs(faceOptions{data: pairsFolder(t, text), photographs: 3}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := labelledPairs(faceOptions{data: t.TempDir()}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no list: %v", err)
	}
}

// TestRate works on people of two photographs each, one of whom is not alike
// and one whose second photograph has no face.
func TestRate(t *testing.T) {
	unit := func(degrees float64) []float64 {
		return []float64{math.Cos(degrees * math.Pi / 180), math.Sin(degrees * math.Pi / 180)}
	}
	s := &pairSet{
		names:   []string{"a/1", "a/2", "b/1", "b/2", "c/1", "c/2", "d/1", "d/2"},
		genuine: [][2]int{{0, 1}, {2, 3}, {4, 5}, {6, 7}},
	}
	k := &recogniser{score: cosine, vectors: [][]float64{unit(0), unit(5), unit(60), unit(66), unit(120), unit(165), unit(240), nil}}
	r := s.rate(k)
	// The nearest of two people are b/2 and c/1, 54 degrees apart; with so few
	// pairs none of them may match. c is 45 degrees apart and matches.
	if r.impostors != 24 || r.genuine != 4 || r.missed != 1 || r.noFace != 1 || r.fnmr != 25 || r.found != 0 {
		t.Errorf("rate %+v", r)
	}
	k.vectors[5] = unit(180)
	if r := s.rate(k); r.missed != 2 || math.Abs(r.found-100.0/3) > 1e-9 {
		t.Errorf("a pair further apart than two people: %+v", r)
	}
}

func TestWilson(t *testing.T) {
	for _, c := range []struct {
		k, n      int
		low, high float64
	}{{0, 100, 0, 3.70}, {10, 100, 5.52, 17.44}, {100, 100, 96.30, 100}, {0, 0, 0, 100}} {
		if low, high := wilson(c.k, c.n); math.Abs(low-c.low) > 0.01 || math.Abs(high-c.high) > 0.01 {
			t.Errorf("%d of %d: %.2f to %.2f, want %.2f to %.2f", c.k, c.n, low, high, c.low, c.high)
		}
	}
}

func TestNearness(t *testing.T) {
	if n := nearness([]float64{0, 3}, []float64{4, 0}); n != -5 {
		t.Errorf("nearness %v", n)
	}
	if !math.IsInf(nearness(nil, nil), -1) || cosine([]float64{1}, []float64{0}) != -1 || cosine([]float64{1}, nil) != -1 {
		t.Error("what cannot be compared is alike")
	}
}

func TestStreamRows(t *testing.T) {
	var r streamReport
	if _, err := streamRows(r, io.Discard); err == nil {
		t.Error("nobody met the goals")
	}
	for i := range 20 {
		r.Travellers = append(r.Travellers, struct {
			Outcome  string  `json:"outcome"`
			Face     string  `json:"face"`
			FaceMS   float64 `json:"face_ms"`
			Liveness string  `json:"liveness"`
		}{"admitted", "p", float64(100 + 40*i), "live"})
	}
	rows, err := streamRows(r, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if rows[0].Value != 500 || rows[0].OK || rows[1].Value != 860 || rows[1].OK || rows[2].Value != 0 || !rows[3].OK || rows[4].Value != 20 {
		t.Errorf("rows %+v", rows)
	}
	// Whoever was admitted with his liveness open has no time, and is no success.
	r.Travellers[0].FaceMS = 0
	if rows, err := streamRows(r, io.Discard); err != nil || rows[3].OK || rows[3].Value != 1 {
		t.Errorf("one admitted and not decided on: %+v, %v", rows, err)
	}
	// Whoever is referred at the time limit counts as slower than all others.
	r.Travellers[0].Outcome, r.Travellers[1].Outcome, r.Travellers[1].FaceMS = "referred", "referred", 0
	if rows, err := streamRows(r, io.Discard); err != nil || rows[1].Value != streamNever || rows[1].OK || rows[2].Value != 2 || !rows[3].OK {
		t.Errorf("two left open: %+v, %v", rows, err)
	}
}

func TestBiometricsRefuses(t *testing.T) {
	o := []string{"--only", "stages", "--models", t.TempDir(), "--out", filepath.Join(t.TempDir(), "bench.json")}
	if err := biometrics(t.Context(), o, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "make models") {
		t.Errorf("without photographs: %v", err)
	}
	if err := biometrics(t.Context(), []string{"--only", "stagse"}, io.Discard, io.Discard); err == nil {
		t.Error("a section that is none was taken")
	}
}
