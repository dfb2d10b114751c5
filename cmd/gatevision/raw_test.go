//go:build cgo

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rawBytes is a picture as the benchmark sends it.
func rawBytes(tb testing.TB, path string, flags uint32) []byte {
	tb.Helper()
	file, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	img, err := jpeg.Decode(file)
	if err != nil {
		tb.Fatal(err)
	}
	b := img.Bounds()
	var out []byte
	for _, v := range []int{b.Dx(), b.Dy(), int(flags), 0} {
		out = binary.LittleEndian.AppendUint32(out, uint32(v))
	}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, bl, _ := img.At(x, y).RGBA()
			out = append(out, byte(bl>>8), byte(g>>8), byte(r>>8))
		}
	}
	return out
}

func TestRawCommand(t *testing.T) {
	flags := toolFlags(t)
	blank := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 64), 48)
	blank = append(blank, make([]byte, 8+3*64*48)...)
	in := bytes.NewReader(append(rawBytes(t, filepath.Join(root, "models", "demo-faces", "sample1.jpg"), rawLive), blank...))
	var out, errOut bytes.Buffer
	if code := runRaw(flags, in, &out, &errOut); code != exitDone {
		t.Fatalf("exit %d: %s", code, errOut.String())
	}
	dec := json.NewDecoder(&out)
	var face, none rawLine
	if err := dec.Decode(&face); err != nil {
		t.Fatal(err)
	}
	if err := dec.Decode(&none); err != nil {
		t.Fatal(err)
	}
	var length float64
	for _, v := range face.Vector {
		length += float64(v) * float64(v)
	}
	if face.Found != 3 || len(face.Vector) != 512 || math.Sqrt(length) < 2 || face.Live == [3]float64{} {
		t.Errorf("a face: found %d, %d values of length %.2f, live %v", face.Found, len(face.Vector), math.Sqrt(length), face.Live)
	}
	m := face.Micros
	if sum := m.Detect + m.Landmarks + m.Embed + m.Liveness; m.Detect <= 0 || m.Landmarks <= 0 || m.Embed <= 0 || m.Liveness <= 0 || m.Frame < sum {
		t.Errorf("times %+v", m)
	}
	if none.Found != 0 || none.Vector != nil || none.Micros.Frame <= 0 {
		t.Errorf("nobody: %+v", none)
	}
}

func TestRawRefused(t *testing.T) {
	whole := binary.LittleEndian.AppendUint32(nil, 64)
	for name, in := range map[string][]byte{
		"cut head":   whole,
		"cut pixels": append(binary.LittleEndian.AppendUint32(whole, 48), make([]byte, 100)...),
		"huge":       bytes.Repeat([]byte{0xff}, 16),
		"no pixels":  make([]byte, 16),
	} {
		var out, errOut bytes.Buffer
		if code := runRaw(toolFlags(t), bytes.NewReader(in), &out, &errOut); code != exitUnable || !strings.Contains(errOut.String(), "gatevision raw:") {
			t.Errorf("%s: exit %d: %s", name, code, errOut.String())
		}
	}
}
