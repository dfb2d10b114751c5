package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bordergate/barcode/symbol"
)

// TestServeReader speaks our side of the pipe: a label, then an empty frame.
func TestServeReader(t *testing.T) {
	want := []byte("a pass's payload \x00\xff")
	label, err := symbol.EncodeQR(want, 4)
	if err != nil {
		t.Fatal(err)
	}
	var in, out bytes.Buffer
	for _, pix := range [][]byte{label.Pix, make([]byte, len(label.Pix))} {
		for _, word := range []uint32{uint32(label.Rect.Dx()), uint32(label.Rect.Dy()), onQR, 0, 1} {
			in.Write(binary.LittleEndian.AppendUint32(nil, word))
		}
		in.Write(pix)
	}
	if err := serveReader(&in, &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("answers: %q", lines)
	}
	if f := strings.Fields(lines[0]); len(f) != 2 || f[1] != hex.EncodeToString(want) {
		t.Errorf("answer to a label: %q", lines[0])
	}
	if f := strings.Fields(lines[1]); len(f) != 1 {
		t.Errorf("answer to an empty frame: %q", lines[1])
	}
	if err := serveReader(strings.NewReader("short"), &out); err == nil {
		t.Error("half a frame was taken for the end")
	}
}

// TestKeep holds that a part's results replace its own only.
func TestKeep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out", "bench.json")
	for _, step := range []struct {
		part  string
		value float64
	}{{"sync", 1}, {"barcode", 2}, {"barcode", 3}} {
		if err := keep(file, step.part, []row{{Name: "n", Value: step.value, PeerValue: 2, OK: true}}); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].Part != "sync" || rows[1].Value != 3 || rows[1].Ratio != 1.5 {
		t.Errorf("kept %+v", rows)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keep(file, "sync", nil); err == nil {
		t.Error("a damaged file was written over")
	}
}

func TestGoals(t *testing.T) {
	s := allSeries(1)[0]
	tab := newTable(s, chosen("gate,rot0"))
	for _, read := range [][3]bool{{true, true, true}, {true, false, false}} {
		for c := range tab.conditions {
			for i := range tab.names {
				tab.count(i, c, read[i])
				tab.times[i] = append(tab.times[i], float64(1+5*len(tab.times[i])))
			}
		}
	}
	if tab.share(0) != 100 || tab.share(1) != 50 {
		t.Errorf("shares %v and %v", tab.share(0), tab.share(1))
	}
	goals := map[string]bool{}
	for _, r := range tab.rows() {
		if r.Goal != "" {
			goals[r.Name] = r.OK
		}
	}
	for name, ok := range map[string]bool{
		"qr 720p wrong payloads": true, "qr 720p read, points above zxing": true,
		"qr 720p gate mix read": true, "qr 720p CPU median": false,
	} {
		if got, there := goals[name]; !there || got != ok {
			t.Errorf("%s: %v, %v", name, got, there)
		}
	}
	if q := quantile([]float64{5, 1, 4, 2, 3}, 0.5); q != 3 {
		t.Errorf("median %v", q)
	}
}
