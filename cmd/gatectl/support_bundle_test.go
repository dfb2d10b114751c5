package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// unpacked is every file of a bundle by its name.
func unpacked(t *testing.T, file string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, r := map[string]string{}, tar.NewReader(zip)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[h.Name] = string(text)
	}
}

// What is planted: a traveller, an officer, and what opens doors.
var planted = []string{
	"Nguyễn Văn Planted", "NGUYEN<<VAN<PLANTED", "C7654321", "001199887766", "VN-1", "planted@example.vn", "+84 912345678", "hunter2", "tok_planted",
	"/9j/4AAQSkZJRgABAQAAplantedpicturebytes00000000000000000000000000",
}

// plantedGate is a stopped gate that is full of what must not leave it.
func plantedGate(t *testing.T) (config string, secrets []string) {
	t.Helper()
	base := stoppedGate(t)
	dir := filepath.Dir(base)
	id, err := vault.LoadIdentity(dir + "/identity")
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(filepath.Join(dir, keysDir), id.Master)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Options{Path: filepath.Join(dir, journalFile), Gate: "lane-1", Vault: v, Signer: id.Signer})
	if err != nil {
		t.Fatal(err)
	}
	_, err = j.Append(t.Context(), journal.Draft{
		Stream: wire.StreamCrossing, Kind: "decision", Class: vault.ClassCrossing, Personal: []byte(`{"pass_number":"C7654321","account":"001199887766"}`),
		Public: map[string]string{"outcome": "referred", "detail": `pass "C7654321" of Nguyễn: 001199887766`},
	})
	if err := errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(base)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "/dev/v4l/by-path/face-camera", "http://10.0.0.9/face?password=hunter2&token=tok_planted", 1)
	changed += "# call Nguyễn Văn Planted, +84 912345678, planted@example.vn, password hunter2\n"
	if err := os.WriteFile(base, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return base, append(keyTexts(t, dir, id), planted...)
}

// keyTexts are the gate's keys in the forms in which they could be found.
func keyTexts(t *testing.T, dir string, id *vault.Identity) (out []string) {
	t.Helper()
	files, err := filepath.Glob(dir + "/identity/*.key")
	if err != nil || len(files) < 3 {
		t.Fatalf("keys %v, %v", files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.SplitSeq(string(b), "\n") {
			if len(l) > 20 && !strings.HasPrefix(l, "-----") {
				out = append(out, l)
			}
		}
	}
	return append(out, hex.EncodeToString(id.Master[:]), base64.StdEncoding.EncodeToString(id.Master[:]))
}

// leaks names what of the secrets is in a bundle.
func leaks(files map[string]string, secrets []string) (found []string) {
	for name, text := range files {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				found = append(found, name+": "+s)
			}
		}
	}
	return found
}

func TestTheBundleOfAStoppedGateHoldsNothingPlanted(t *testing.T) {
	config, secrets := plantedGate(t)
	out := filepath.Join(t.TempDir(), "gate.tar.gz")
	if got := gatectl(t, "support-bundle", "--config", config, "--out", out); got.status != exitDone {
		t.Fatal(got.err)
	}
	files := unpacked(t, out)
	if found := leaks(files, secrets); len(found) > 0 {
		t.Errorf("it holds %q", found)
	}
	for name, want := range map[string]string{
		"README.txt": "gated does not run", "config.txt": "cameras.face.source: http://10.0.0.9/face?[…]", "doctor.json": `"check": "journal"`,
		"journal.json": `"decision": 4`, "versions.json": `"go"`, "hashes.json": `"sha256"`,
	} {
		if !strings.Contains(files["support/"+name], want) {
			t.Errorf("%s does not say %s:\n%.600s", name, want, files["support/"+name])
		}
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got := gatectl(t, "support-bundle", "--config", config, "--out", out); got.status != exitUnable {
		t.Error("a bundle that is there was written over")
	}
}

// TestTheBundleOfARunningGateTrustsNobody: even a gated that tells what it must
// not would not get it into the bundle.
func TestTheBundleOfARunningGateTrustsNobody(t *testing.T) {
	config, secrets := plantedGate(t)
	quoted := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	talk := `open "Nguyễn Văn Planted" C7654321 001199887766 planted@example.vn NGUYEN<<VAN<PLANTED rtsp://a:hunter2@x/y?t=tok_planted account "VN-1" tel 84912345678 ` + planted[len(planted)-1]
	runningGate(t, config, map[string]string{
		"GET /v1/status":         quoted(map[string]any{"clock": "synchronised", "lane": map[string]string{"state": "ready", "cause": talk}, "recent": []any{map[string]any{"tx": "00112233445566778899aabbccddeeff", "reasons": []string{"watchlist"}, "outcome": "referred"}}}),
		"GET /v1/diagnostics":    quoted(map[string]any{"software": "v1", "stacks": talk}),
		"GET /v1/config":         quoted(map[string]any{"headquarters": map[string]string{"C7654321": talk}}),
		"GET /v1/devices":        quoted([]any{map[string]any{"name": "turnstile", "ok": false, "error": talk}}),
		"GET /v1/accounts/stats": `{"accounts":1}`, "GET /v1/log/level": `{"level":"info"}`, "GET /v1/trust": `{"status":{"source":"folder"}}`,
		"GET /v1/log":            quoted([]string{`time=2026-01-01T00:00:00.000Z level=WARN msg="Camera is away" camera=face holder="Nguyễn Văn Planted" pass=C7654321 error=` + quoted(talk)}),
		"GET /v1/metrics":        "# HELP bordergate_x Y.\nbordergate_x{reason=\"face_none\"} 1\nbordergate_x{reason=\"C7654321\"} 1\nNguyễn Văn Planted\n",
		"GET /v1/journal/export": `{"stream":"crossing","seq":1,"kind":"decision","tx":"00112233445566778899aabbccddeeff","public":{"outcome":"referred","reasons":["watchlist"],"detail":` + quoted(talk) + `},"personal":{"pass_number":"C7654321"}}` + "\n",
	})
	out := filepath.Join(t.TempDir(), "gate.tar.gz")
	if got := gatectl(t, "support-bundle", "--config", config, "--out", out); got.status != exitDone {
		t.Fatal(got.err)
	}
	files := unpacked(t, out)
	if found := leaks(files, append(secrets, "watchlist")); len(found) > 0 {
		t.Errorf("it holds %q", found)
	}
	for name, want := range map[string]string{
		"status.json": "00112233445566778899aabbccddeeff", "log.txt": `msg="Camera is away" camera="face"`, "metrics.txt": `{reason="face_none"} 1`,
		"journal.json": `"hidden"`, "devices.json": `"turnstile"`, "diagnostics.json": `"software": "v1"`,
	} {
		if !strings.Contains(files["support/"+name], want) {
			t.Errorf("%s does not say %s:\n%.600s", name, want, files["support/"+name])
		}
	}
}

// TestLeaksAreFoundInABundle: a search that finds nothing proves nothing.
func TestLeaksAreFoundInABundle(t *testing.T) {
	_, secrets := plantedGate(t)
	for _, s := range secrets {
		if len(leaks(map[string]string{"x": "before " + s + " after"}, secrets)) == 0 {
			t.Errorf("%q is not found", s)
		}
	}
}

func TestABrokenGateHasABundleToo(t *testing.T) {
	config := filepath.Join(t.TempDir(), "gate.yaml")
	if err := os.WriteFile(config, []byte("version: 1\nhq: {broker: \"ssl://u:hunter2@hq:1\"}\nowner: Nguyễn Văn Planted\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "gate.tar.gz")
	if got := gatectl(t, "support-bundle", "--config", config, "--out", out); got.status != exitDone {
		t.Fatal(got.err)
	}
	files := unpacked(t, out)
	if found := leaks(files, planted); len(found) > 0 || !strings.Contains(files["support/faults.json"], "owner") {
		t.Errorf("leaks %q in %v", found, files)
	}
}
